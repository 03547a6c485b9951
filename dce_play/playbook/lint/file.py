"""Looks at one file for lint: its writing, its schema, its expressions, its style."""

import re
from enum import StrEnum
from pathlib import Path

from dce_play.discord.targets.parse import check_targets
from dce_play.playbook.document.cache import Cache
from dce_play.playbook.document.document import Reading, read_document
from dce_play.playbook.language.model import CallKind
from dce_play.playbook.language.structure import wrong_value
from dce_play.playbook.lint.comments import modeline, suppress
from dce_play.playbook.lint.files import TARGETS_NAMES
from dce_play.playbook.lint.lint import Inspection
from dce_play.playbook.lint.names import names
from dce_play.playbook.lint.safety import safety
from dce_play.playbook.lint.target_names import TargetsBeside, target_names
from dce_play.playbook.load.library import Library, one_each
from dce_play.playbook.load.schema import Steps
from dce_play.playbook.plan.planning import plan_or_problems
from dce_play.source import Problem, Severity

_ARCHIVE_ROOT = re.compile(rb"^archive_root\s*:", re.MULTILINE)
_STEPS = re.compile(rb"^steps\s*:", re.MULTILINE)
_STYLE_RULES = (names, safety)


class FileKind(StrEnum):
    """What a file is for."""

    PLAYBOOK = "playbook"
    ROLE = "role"
    TARGETS = "targets"
    SCHEMA = "schema"


def inspect_file(
    path: Path,
    data: bytes,
    /,
    *,
    steps: Steps,
    shipped: bool = False,
    cache: Cache | None = None,
    targets: TargetsBeside | None = None,
) -> Inspection:
    """Return all problems of a file that stand in the file itself.

    ``shipped`` says that the steps are exactly ours, see ``Library``.
    """
    kind = kind_of(path, data)
    if kind in {FileKind.PLAYBOOK, FileKind.ROLE}:
        library = Library(steps, shipped=shipped, cache=cache, contents={path: data})
        problems = _lint_playbook(path, CallKind(kind), library)
        document = library.entries[path].document
        files = {file: each.sha256 for file, each in library.entries.items()}
        if targets is not None:
            problems += target_names(library.entries[path].playbook, library, targets)
            files[targets.path] = targets.sha256
    else:
        reading = read_document(path, data)
        problems = _lint_targets(reading) if kind is FileKind.TARGETS else _lint_schema(reading)
        document, files = reading.document, {path: reading.sha256}
    return Inspection(problems=one_each(suppress(document, problems)), files=files)


def _lint_playbook(path: Path, kind: CallKind, library: Library) -> list[Problem]:
    _, problems = plan_or_problems(path, library, kind=kind)
    own = [problem for problem in problems if problem.span.path == path]
    entry = library.entries[path]
    own += modeline(entry.document, schema_reference(path, kind))
    if not any(problem.severity is Severity.ERROR for problem in own):
        for rule in _STYLE_RULES:
            own.extend(rule(entry.playbook, library))
    return own


def kind_of(path: Path, data: bytes) -> FileKind:
    """Return what a file is for, by its name, else by its top keys."""
    if path.name.endswith(".schema.json"):
        return FileKind.SCHEMA
    if path.stem == "role":
        return FileKind.ROLE
    if path.name in TARGETS_NAMES or (_ARCHIVE_ROOT.search(data) and not _STEPS.search(data)):
        return FileKind.TARGETS
    return FileKind.PLAYBOOK


def schema_reference(path: Path, kind: CallKind) -> str:
    """Return the schema's path from the file, where a ``schemas`` folder stands above it; else its bare name."""
    name = f"{kind}.schema.json"
    for depth, folder in enumerate(path.parents):
        if (folder / "schemas" / name).is_file():
            return "../" * depth + f"schemas/{name}" if depth else f"./schemas/{name}"
    return f"../schemas/{name}"


def _lint_targets(reading: Reading) -> list[Problem]:
    if any(problem.severity is Severity.ERROR for problem in reading.problems):
        return list(reading.problems)
    _, problems = check_targets(reading.document)
    return [*reading.problems, *problems]


def _lint_schema(reading: Reading) -> list[Problem]:
    # Inside the function for start-up time: jsonschema takes 110 ms to import.
    from jsonschema import Draft7Validator
    from jsonschema.exceptions import SchemaError

    if any(problem.severity is Severity.ERROR for problem in reading.problems):
        return list(reading.problems)
    value = reading.document.value
    try:
        Draft7Validator.check_schema(value if isinstance(value, dict | bool) else {"type": value})
    except SchemaError as error:
        span = reading.document.value_span(tuple(error.absolute_path))
        return [Problem(rule="E103", message=f"not a JSON Schema: {wrong_value(error)}", span=span)]
    return []
