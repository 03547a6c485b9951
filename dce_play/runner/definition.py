"""What a run was made from, kept beside its journal, and how a later one differs.

``definition.json`` in the run folder holds the texts of the playbook and of all it includes, a digest a step, the
params as the journal shows them, and the targets file's digest. A resume compares it with what is there now.
"""

import json
from collections.abc import Iterator, Mapping
from pathlib import Path

from dce_play import __version__
from dce_play.errors import DcePlayError, ExitCode
from dce_play.playbook.plan.plan import Plan, walk
from dce_play.runner.record.journal import RunFolderUnusable
from dce_play.runner.settings import RunSettings
from dce_play.source import JsonValue
from dce_play.system.counted import counted
from dce_play.system.durable.regular_files import read_regular
from dce_play.system.durable.whole_files import write_atomic

DEFINITION_NAME = "definition.json"
LONGEST_DIFF = 60
"""Lines of a diff that are shown."""


class ResumeRefused(DcePlayError):
    """The run cannot go on as it is; ``differences`` are lines for people."""

    exit_code = ExitCode.RESUME_REFUSED

    def __init__(self, run_id: str, differences: list[str]) -> None:
        super().__init__(
            f"run {run_id} was made from something else:\n" + "\n".join(differences),
            hint="put it back, or go on with --accept-changes: steps that changed run again",
        )
        self.differences = differences


def define(plan: Plan, settings: RunSettings, /) -> dict[str, JsonValue]:
    """Return what this run is made from."""
    return {
        "version": __version__,
        "texts": {str(path): text for path, text in plan.texts.items()},
        "steps": {node.id: node.definition for node in walk(plan.preflight + plan.steps)},
        "params": dict(settings.recorded_params),
        "targets": {"path": str(settings.targets.path), "sha256": settings.targets.sha256}
        if settings.targets
        else None,
        "archive_root": str(settings.archive_root) if settings.archive_root else None,
    }


def save_definition(folder: Path, definition: Mapping[str, JsonValue], /) -> None:
    """Write the definition into the run folder.

    Raises: RunFolderUnusable.
    """
    text = json.dumps(definition, ensure_ascii=False, indent=1)
    try:
        write_atomic(folder / DEFINITION_NAME, text.encode("utf-8", "backslashreplace"))
    except OSError as error:
        raise RunFolderUnusable(folder, error) from error


def load_definition(folder: Path, /) -> dict[str, JsonValue]:
    """Return the definition of an earlier run; empty when it did not come to write one."""
    try:
        value = json.loads(read_regular(folder / DEFINITION_NAME))
    except (OSError, ValueError):
        return {}
    return value if isinstance(value, dict) else {}


def differences(before: Mapping[str, JsonValue], now: Mapping[str, JsonValue], /) -> list[str]:
    """Return, for people, how what the run is made from changed; empty when the run may go on."""
    found: list[str] = []
    if before.get("version") != now.get("version"):
        found.append(f"dce-play was {before.get('version')}, is {now.get('version')}")
    found += _mapping_differences("param", _mapping(before, "params"), _mapping(now, "params"))
    if before.get("targets") != now.get("targets"):
        found.append(f"the targets file changed: {_place(before)} → {_place(now)}")
    if before.get("archive_root") != now.get("archive_root"):
        found.append(f"the archive root was {before.get('archive_root')}, is {now.get('archive_root')}")
    if _mapping(before, "steps") != _mapping(now, "steps"):
        found += list(_text_differences(_mapping(before, "texts"), _mapping(now, "texts"))) or [
            "a step plugin or a file that the playbook includes changed"
        ]
    return found


def _mapping(definition: Mapping[str, JsonValue], name: str) -> dict[str, JsonValue]:
    value = definition.get(name)
    return value if isinstance(value, dict) else {}


def _place(definition: Mapping[str, JsonValue]) -> str:
    targets = _mapping(definition, "targets")
    return f"{targets.get('path')} ({str(targets.get('sha256'))[:12]})" if targets else "none"


def _mapping_differences(word: str, before: Mapping[str, JsonValue], now: Mapping[str, JsonValue]) -> Iterator[str]:
    for name in sorted({*before, *now}):
        if before.get(name) != now.get(name):
            yield f"{word} {name} was {json.dumps(before.get(name))}, is {json.dumps(now.get(name))}"


def _text_differences(before: Mapping[str, JsonValue], now: Mapping[str, JsonValue]) -> Iterator[str]:
    import difflib  # start-up time: only a resume compares

    for path in sorted({*before, *now}):
        old, new = str(before.get(path, "")), str(now.get(path, ""))
        if old == new:
            continue
        lines = list(
            difflib.unified_diff(
                old.splitlines(), new.splitlines(), f"{path} (then)", f"{path} (now)", lineterm="", n=2
            )
        )
        yield from lines[:LONGEST_DIFF]
        if len(lines) > LONGEST_DIFF:
            yield f"… {counted(len(lines) - LONGEST_DIFF, 'more line')}"
