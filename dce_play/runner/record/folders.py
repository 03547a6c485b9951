"""The run folders of a state folder: which runs there are, how each ended, and removing old ones."""

import heapq
import itertools
import os
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from enum import StrEnum
from itertools import islice
from pathlib import Path

from dce_play.errors import DcePlayError, ExitCode
from dce_play.events import Mode, Outcome, RunEnded, RunStarted
from dce_play.runner.record.child_id import parent_of
from dce_play.runner.record.journal import JOURNAL_NAME, RunJournalDamaged, RunStillGoing, read_journal
from dce_play.runner.record.peek import peek
from dce_play.source import JsonValue
from dce_play.system.lock.file_lock import is_locked, open_locked

_FIRST_NAMES = 256
"""So many names are sorted at first: who lists twenty runs need not sort a hundred thousand."""
_NAMED = 5
_REMOVING = ".removing-"
_REFUSALS = frozenset(
    {
        *(ExitCode.USAGE, ExitCode.INVALID, ExitCode.PREFLIGHT, ExitCode.NOTHING_SELECTED, ExitCode.RESUME_REFUSED),
        *(ExitCode.LOCKED, ExitCode.UNATTENDED),
    }
)


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
    """There is no such run, or several are meant by these letters."""

    exit_code = ExitCode.NOTHING_SELECTED

    def __init__(self, message: str) -> None:
        super().__init__(message, hint="dce-play runs list --all")


@dataclass(frozen=True, slots=True, kw_only=True)
class RunInfo:
    """One run, as the two ends of its journal tell it."""

    run_id: str
    folder: Path
    state: State
    mode: Mode = Mode.RUN
    name: str = ""
    started: str = ""
    archive_root: str = ""
    targets: tuple[str, ...] = ()
    step_count: int = 0
    duration_s: float = 0.0
    exit_code: int | None = None
    counts: Mapping[str, int] = field(default_factory=dict)
    """Steps by status."""
    error: str = ""
    """Why it failed; of a damaged journal, what is wrong with it."""
    hint: str = ""
    next_command: str = ""
    options: Mapping[str, JsonValue]

    @property
    def resumable(self) -> bool:
        """Return whether ``resume`` can do something for it."""
        ended_early = self.mode is Mode.RUN and self.state in {State.FAILED, State.INTERRUPTED, State.LOST}
        return ended_early and bool(self.options) and (bool(self.next_command) or not self.refused)

    @property
    def refused(self) -> bool:
        """Return whether it ended before it changed anything, as something had to be put right first."""
        return self.state is State.FAILED and self.exit_code in _REFUSALS and not self.counts.get("changed")

    @property
    def short_id(self) -> str:
        """Return the end of the id, which commands take instead of the whole."""
        return self.run_id.rpartition("-")[2] or self.run_id


def read_run(folder: Path, /) -> RunInfo:
    """Return what the run's journal tells, read whole. One without an end and without a living holder is ``lost``."""
    info = peek_run(folder)
    if info.state is State.DAMAGED:
        return info
    if is_locked(folder / JOURNAL_NAME):  # also one with an end: that of the part before it was resumed
        info = replace(info, state=State.RUNNING)
    try:
        read_journal(folder / JOURNAL_NAME)
    except RunJournalDamaged as error:
        return replace(info, state=State.DAMAGED, error=f"{JOURNAL_NAME}: line {error.line} is no event")
    except OSError as error:
        return _damaged(folder, f"{JOURNAL_NAME}: {error.strerror}")
    return info


def peek_run(folder: Path, /) -> RunInfo:
    """Return what the two ends of the run's journal tell; damage between them is not seen."""
    try:
        seen = peek(folder / JOURNAL_NAME)
        info = _info(folder, seen.first, seen.last)
    except OSError as error:
        return _damaged(folder, f"{JOURNAL_NAME}: {(error.strerror or str(error)).lower()}")
    except (ValueError, TypeError) as error:
        return _damaged(folder, f"{JOURNAL_NAME}: {error}")
    if seen.damage:
        return replace(info, state=State.DAMAGED, error=f"{JOURNAL_NAME}: {seen.damage}")
    return info


def _damaged(folder: Path, why: str) -> RunInfo:
    return RunInfo(run_id=folder.name, folder=folder, state=State.DAMAGED, error=why, options={})


def _info(folder: Path, first: Mapping[str, JsonValue], last: Mapping[str, JsonValue]) -> RunInfo:
    """Fold the first and the last event. Raises: ValueError, when they hold what no event of ours does."""
    first = first if first.get("type") == RunStarted.TYPE else {}
    ended = last if last.get("type") == RunEnded.TYPE else {}
    duration, code = ended.get("duration_s"), ended.get("exit_code")
    error, options, counts = ended.get("error"), first.get("options"), ended.get("counts")
    targets, steps = first.get("targets"), first.get("step_count")
    return RunInfo(
        run_id=folder.name,
        folder=folder,
        state=_state(ended, folder / JOURNAL_NAME),
        mode=Mode(str(first.get("mode", Mode.RUN))),
        name=str(first.get("name", "")),
        started=_stamp(first.get("ts") or last.get("ts")),
        archive_root=str(first.get("archive_root", "")),
        targets=tuple(str(each) for each in targets) if isinstance(targets, list) else (),
        step_count=steps if isinstance(steps, int) else 0,
        duration_s=float(duration) if isinstance(duration, int | float) else 0.0,
        exit_code=code if isinstance(code, int) else None,
        counts={key: each for key, each in counts.items() if isinstance(each, int)} if isinstance(counts, dict) else {},
        error=str(error.get("message", "")) if isinstance(error, dict) else "",
        hint=str(error.get("hint", "")) if isinstance(error, dict) else "",
        next_command=str(ended.get("next_command") or ""),
        options=options if isinstance(options, dict) else {},
    )


def _stamp(value: JsonValue) -> str:
    text = str(value or "")
    if text and datetime.fromisoformat(text).tzinfo is None:
        raise ValueError(f"a time without a zone: {text[:40]}")
    return text


def _state(ended: Mapping[str, JsonValue], journal: Path) -> State:
    if ended:
        return State(str(ended.get("outcome", Outcome.LOST)))
    return State.RUNNING if is_locked(journal) else State.LOST


def _changed_ns(folder: Path) -> int:
    """Return when a folder changed last: what tells runs of one second apart."""
    try:
        return folder.stat().st_mtime_ns
    except OSError:
        return 0


def newest_folders(runs: Path, /) -> Iterator[Path]:
    """Yield the folders of all runs, the newest first, without those of items' runs. Only names are read."""
    try:
        names = [name for name in os.listdir(runs) if not name.startswith(".") and not parent_of(name)]  # noqa: PTH208 - a tenth of iterdir
    except (FileNotFoundError, NotADirectoryError):
        return
    first = heapq.nlargest(_FIRST_NAMES, names)
    for _, same in itertools.groupby(first, key=lambda name: name.partition("-")[0]):
        folders = [runs / name for name in same]
        yield from folders if len(folders) == 1 else sorted(folders, key=_changed_ns, reverse=True)
    if len(names) > len(first):
        yield from (runs / name for name in sorted(names, reverse=True)[len(first) :])


def each_run(runs: Path, /) -> Iterator[RunInfo]:
    """Yield the runs, the newest first, each read when it is asked for, by the two ends of its journal."""
    for folder in newest_folders(runs):
        if os.path.lexists(folder / JOURNAL_NAME):
            yield peek_run(folder)


def list_runs(runs: Path, /) -> list[RunInfo]:
    """Return all runs, the newest first."""
    return list(each_run(runs))


def find_run(runs: Path, identifier: str, /) -> RunInfo:
    """Return the run whose id is this, or begins or ends like this; that of an item only by its whole id.

    Raises: NoSuchRun.
    """
    if identifier and "/" not in identifier and os.path.lexists(runs / identifier / JOURNAL_NAME):
        return read_run(runs / identifier)
    named = [(folder, folder.name.rpartition("-")[2]) for folder in newest_folders(runs)] if identifier else []
    found = [folder for folder, short in named if short == identifier] or [
        folder for folder, short in named if folder.name.startswith(identifier) or short.startswith(identifier)
    ]
    if len(found) == 1:
        return read_run(found[0])
    if not found:
        raise NoSuchRun(f"no runs fit {identifier}")
    some = ", ".join(folder.name for folder in found[:_NAMED]) + (", …" if len(found) > _NAMED else "")
    raise NoSuchRun(f"{len(found)} runs fit {identifier}: {some}")


def newest_unfinished(runs: Path, /, *, folder: Path, archive_root: Path | None) -> RunInfo:
    """Return the newest run that can be resumed, of this archive root or started in this folder.

    Raises: NoSuchRun.
    """
    for info in each_run(runs):
        if info.resumable and is_of(info, folder=folder, archive_root=archive_root):
            return read_run(info.folder)
    raise NoSuchRun("no run from here is waiting to be resumed")


def is_of(info: RunInfo, /, *, folder: Path, archive_root: Path | None) -> bool:
    """Return whether a run is this project's: of this archive root, or started in this folder.

    So is one whose journal does not tell where it belongs: it is damaged or empty, and somebody should look at it.
    """
    if not info.options and (info.state is State.DAMAGED or not info.started):
        return True
    same_root = archive_root is not None and info.archive_root == str(archive_root)
    return same_root or info.options.get("folder") == str(folder)


def prunable(
    infos: Iterable[RunInfo], /, *, keep: int, before: datetime, unfinished: bool = False
) -> Iterator[RunInfo]:
    """Yield the runs to remove: older than ``before``, ended, and not among the newest ``keep``.

    A run that can be resumed stays, unless ``unfinished`` says otherwise; so does one whose journal is damaged, as
    nobody knows what it was.
    """
    for info in islice(infos, keep, None):
        gone = info.state not in {State.RUNNING, State.DAMAGED} and (unfinished or not info.resumable)
        if gone and info.started and datetime.fromisoformat(info.started) < before:
            yield info


def remove_run(info: RunInfo, /) -> None:
    """Remove a run folder, after those of its items' runs; it disappears from the list at once, whatever happens then.

    Raises: RunStillGoing, when somebody goes on with it at this moment; OSError.
    """
    import glob  # start-up time: few commands remove

    for folder in (*sorted(info.folder.parent.glob(f"{glob.escape(info.run_id)}.*")), info.folder):
        _remove(folder)


def remove_leftovers(runs: Path, /) -> Iterator[OSError]:
    """Remove what is left of run folders whose removal was cut off; nobody lists them. Yield what cannot be removed."""
    import shutil  # start-up time: it takes as long to import as five modules of ours, and few commands remove

    for folder in runs.glob(f"{_REMOVING}*"):
        try:
            shutil.rmtree(folder)
        except OSError as error:
            yield error


def _remove(folder: Path) -> None:
    import shutil  # start-up time, as above

    journal = folder / JOURNAL_NAME
    descriptor = open_locked(journal, os.O_RDWR) if journal.is_file() else None
    if descriptor is None and journal.is_file():
        raise RunStillGoing(journal)
    try:
        doomed = folder.with_name(f"{_REMOVING}{folder.name}")
        shutil.rmtree(doomed, ignore_errors=True)  # what an earlier removal left that was killed
        folder.rename(doomed)
        shutil.rmtree(doomed)
    finally:
        if descriptor is not None:
            os.close(descriptor)
