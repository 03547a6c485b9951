"""The run folders of a state folder: which runs there are, how each ended, and removing old ones."""

import glob
import shutil
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from pathlib import Path

from dce_play.errors import DcePlayError, ExitCode
from dce_play.events import Mode, Outcome, RunEnded, RunStarted
from dce_play.runner.record.child_id import parent_of
from dce_play.runner.record.journal import JOURNAL_NAME, RunJournalDamaged, look
from dce_play.source import JsonValue


class State(StrEnum):
    """What has become of a run."""

    RUNNING = "running"
    OK = "ok"
    FAILED = "failed"
    INTERRUPTED = "interrupted"
    LOST = "lost"
    DAMAGED = "damaged"
    """Its journal cannot be read."""


class NoSuchRun(DcePlayError):
    """There is no such run, or several begin like that."""

    exit_code = ExitCode.NOTHING_SELECTED

    def __init__(self, message: str) -> None:
        super().__init__(message, hint="dce-play runs list")


@dataclass(frozen=True, slots=True, kw_only=True)
class RunInfo:
    """One run, as its journal tells it."""

    run_id: str
    folder: Path
    state: State
    mode: Mode = Mode.RUN
    name: str = ""
    started: str = ""
    archive_root: str = ""
    duration_s: float = 0.0
    exit_code: int | None = None
    options: Mapping[str, JsonValue]

    @property
    def resumable(self) -> bool:
        """Return whether ``resume`` can do something for it."""
        return self.mode is Mode.RUN and self.state in {State.FAILED, State.INTERRUPTED, State.LOST}


def read_run(folder: Path, /) -> RunInfo:
    """Return what the run's journal tells. A run without an end and without a living holder is ``lost``."""
    try:
        seen = look(folder / JOURNAL_NAME)
    except (OSError, RunJournalDamaged):
        return RunInfo(run_id=folder.name, folder=folder, state=State.DAMAGED, options={})
    first = next((event for event in seen.events if event.get("type") == RunStarted.TYPE), {})
    last = seen.events[-1] if seen.ended else {}
    options = first.get("options")
    duration = last.get("duration_s")
    code = last.get("exit_code")
    return RunInfo(
        run_id=folder.name,
        folder=folder,
        state=_state(last, running=seen.running),
        mode=Mode(str(first.get("mode", Mode.RUN))),
        name=str(first.get("name", "")),
        started=str(first.get("ts", "")),
        archive_root=str(first.get("archive_root", "")),
        duration_s=float(duration) if isinstance(duration, int | float) else 0.0,
        exit_code=code if isinstance(code, int) else None,
        options=options if isinstance(options, dict) else {},
    )


def _state(last: Mapping[str, JsonValue], *, running: bool) -> State:
    if running:
        return State.RUNNING
    if last.get("type") != RunEnded.TYPE:
        return State.LOST
    return State(str(last.get("outcome", Outcome.LOST)))


def list_runs(runs: Path, /) -> list[RunInfo]:
    """Return all runs, the newest first, without the runs of single items, which belong to one of these."""
    if not runs.is_dir():
        return []
    folders = [folder for folder in runs.iterdir() if not parent_of(folder.name) and (folder / JOURNAL_NAME).is_file()]
    return [read_run(folder) for folder in sorted(folders, reverse=True)]


def find_run(runs: Path, identifier: str, /) -> RunInfo:
    """Return the run whose id is this, or begins like this.

    Raises: NoSuchRun.
    """
    if (runs / identifier / JOURNAL_NAME).is_file() and "/" not in identifier:
        return read_run(runs / identifier)
    folders = runs.glob("*") if runs.is_dir() else iter(())
    found = [folder for folder in folders if _begins(folder.name, identifier)]
    if len(found) != 1:
        raise NoSuchRun(f"{len(found) or 'no'} runs begin with {identifier}")
    return read_run(found[0])


def _begins(name: str, identifier: str) -> bool:
    """Return whether a run is meant by the beginning of its id; an item's run only by more than its parent's id."""
    return name.startswith(identifier) and len(identifier) > len(parent_of(name))


def newest_unfinished(runs: Path, /, *, folder: Path, archive_root: Path | None) -> RunInfo:
    """Return the newest run that can be resumed, of this archive root or started in this folder.

    Raises: NoSuchRun.
    """
    for info in list_runs(runs):
        here = info.options.get("folder") == str(folder)
        same_root = archive_root is not None and info.archive_root == str(archive_root)
        if info.resumable and (here or same_root):
            return info
    raise NoSuchRun("no run from here is waiting to be resumed")


def prunable(infos: list[RunInfo], /, *, keep: int, before: datetime) -> list[RunInfo]:
    """Return the runs to remove: older than ``before``, not running, and not among the newest ``keep``."""
    return [
        info
        for info in infos[keep:]
        if info.state is not State.RUNNING and info.started and datetime.fromisoformat(info.started) < before
    ]


def remove_run(info: RunInfo, /) -> None:
    """Remove a run folder and those of its items' runs; it disappears from the list at once, whatever happens then.

    Raises: OSError.
    """
    for folder in (info.folder, *info.folder.parent.glob(f"{glob.escape(info.run_id)}.*")):
        doomed = folder.with_name(f".removing-{folder.name}")
        folder.rename(doomed)
        shutil.rmtree(doomed)
