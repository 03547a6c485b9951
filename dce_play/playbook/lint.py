"""Lint: everything that can be said of playbooks, roles, targets files and schemas without running anything.

``lint`` takes files and folders. What it found out about a file before comes from the cache, as long as the file,
whatever it includes, and we ourselves are unchanged; then neither YAML, JSON Schema nor Jinja is imported.
"""

import hashlib
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

from dce_play.errors import DcePlayError, ExitCode
from dce_play.playbook.cache import Cache, pack_problem, unpack_problem
from dce_play.playbook.document import Reading, read_bytes, read_document
from dce_play.playbook.library import Library, one_each
from dce_play.playbook.lint_comments import modeline, suppress
from dce_play.playbook.lint_names import names
from dce_play.playbook.lint_safety import safety
from dce_play.playbook.model import CallKind
from dce_play.playbook.planning import plan_or_problems
from dce_play.playbook.schema import Steps
from dce_play.source import JsonValue, Problem, Severity
from dce_play.targets.parse import check_targets

_SUFFIXES = frozenset({".yml", ".yaml"})
_TARGETS_NAMES = frozenset({"scrape-targets.yml", "scrape-targets.yaml", "scrape-targets.json"})
_STYLE_RULES = (names, safety)


class NothingToLint(DcePlayError):
    """A path does not exist, or nothing below it can be linted."""

    exit_code = ExitCode.NOTHING_SELECTED


class FileKind(StrEnum):
    """What a file is for."""

    PLAYBOOK = "playbook"
    ROLE = "role"
    TARGETS = "targets"
    SCHEMA = "schema"


@dataclass(frozen=True, slots=True, kw_only=True)
class LintResult:
    """What lint found."""

    files: tuple[Path, ...]
    problems: tuple[Problem, ...]

    def count(self, severity: Severity) -> int:
        """Return how many problems are this bad."""
        return sum(problem.severity is severity for problem in self.problems)


@dataclass(slots=True)
class Linter:
    """Lints files one by one. ``load_steps`` is called only when a file must really be looked at."""

    load_steps: Callable[[], Steps]
    cache: Cache | None = None
    _steps: Steps | None = None

    def lint(self, paths: Iterable[Path]) -> LintResult:
        """Return all problems of the files, and of those below the folders.

        Raises: NothingToLint, when a path does not exist or has nothing to lint.
        """
        files = list(dict.fromkeys(file for path in paths for file in files_below(path)))
        problems: list[Problem] = []
        for file in files:
            problems.extend(self._file(file))
        return LintResult(files=tuple(files), problems=tuple(dict.fromkeys(problems)))

    def _file(self, path: Path) -> list[Problem]:
        data = read_bytes(path)
        key = f"{path}\n{hashlib.sha256(data).hexdigest()}"
        remembered = _remembered(self.cache.get("lint", key)) if self.cache else None
        if remembered is not None:
            return remembered
        reading = read_document(path, data)
        kind = kind_of(path, reading.document.value)
        files: Mapping[Path, str] = {}
        if kind is FileKind.TARGETS:
            problems = _lint_targets(reading)
        elif kind is FileKind.SCHEMA:
            problems = _lint_schema(reading)
        else:
            problems, files = self._lint_playbook(path, CallKind(kind))
        problems = list(one_each(suppress(reading.document, problems)))
        if self.cache:
            known: dict[str, JsonValue] = {str(file): digest for file, digest in files.items() if file != path}
            self.cache.put("lint", key, {"files": known, "problems": [pack_problem(each) for each in problems]})
        return problems

    def _lint_playbook(self, path: Path, kind: CallKind) -> tuple[list[Problem], Mapping[Path, str]]:
        if self._steps is None:
            self._steps = self.load_steps()
        library = Library(self._steps, cache=self.cache)
        _, problems = plan_or_problems(path, library, kind=kind)
        own = [problem for problem in problems if problem.span.path == path]
        entry = library.entries[path]
        own += modeline(entry.document, schema_reference(path, kind))
        if not any(problem.severity is Severity.ERROR for problem in own):
            for rule in _STYLE_RULES:
                own.extend(rule(entry.playbook, library))
        return own, {file: each.sha256 for file, each in library.entries.items()}


def _remembered(entry: JsonValue) -> list[Problem] | None:
    """Return the problems of a cache entry when all that they depend on is as it was."""
    try:
        if not isinstance(entry, dict) or not isinstance(entry["files"], dict):
            return None
        for name, digest in entry["files"].items():
            if hashlib.sha256(Path(name).read_bytes()).hexdigest() != digest:
                return None
        packed = entry["problems"]
        return [unpack_problem(each) for each in packed] if isinstance(packed, list) else None
    except (OSError, ValueError, TypeError, KeyError):
        return None


def kind_of(path: Path, value: JsonValue) -> FileKind:
    """Return what a file is for, by its name, else by its content."""
    keys = value.keys() if isinstance(value, dict) else frozenset[str]()
    if path.name.endswith(".schema.json"):
        return FileKind.SCHEMA
    if path.stem == "role":
        return FileKind.ROLE
    if path.name in _TARGETS_NAMES or ({"targets", "archive_root"} <= keys and "steps" not in keys):
        return FileKind.TARGETS
    return FileKind.PLAYBOOK


def files_below(path: Path) -> Iterator[Path]:
    """Yield the files that lint looks at: the path itself, or those below the folder.

    Raises: NothingToLint.
    """
    path = path.absolute()
    if path.is_file():
        yield path
        return
    if not path.is_dir():
        raise NothingToLint(f"no file or folder {path}")
    found = [file for file in sorted(path.rglob("*")) if file.is_file() and _is_ours(file.relative_to(path))]
    if not found:
        hint = "lint reads .yml, .yaml, scrape-targets.json and .schema.json"
        raise NothingToLint(f"nothing to lint in {path}", hint=hint)
    yield from found


def _is_ours(path: Path) -> bool:
    if any(part.startswith(".") for part in path.parts):
        return False
    return path.suffix in _SUFFIXES or path.name in _TARGETS_NAMES or path.name.endswith(".schema.json")


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
        return [Problem(rule="E103", message=f"not a JSON Schema: {error.message[:80]}", span=span)]
    return []
