"""The journal: a run's events on disk, one JSON object a line, and the one record of what it did.

A run holds an exclusive ``flock`` on its journal while it lives, so whoever finds a journal without a last event and
without a holder has found a run that was killed.
"""

import json
import os
from dataclasses import dataclass
from pathlib import Path

from dce_play.errors import DcePlayError, ExitCode, UsageError
from dce_play.event_json import to_json
from dce_play.events import CheckpointPut, Event, Outcome, RunEnded, RunResumed, RunStarted, StepEnded, StepStarted
from dce_play.source import JsonValue
from dce_play.system.disk import write_hint
from dce_play.system.durable.disk import REAL
from dce_play.system.durable.json_lines import LineFile
from dce_play.system.durable.regular_files import read_regular
from dce_play.system.lock.file_lock import open_locked

JOURNAL_NAME = "events.jsonl"
_encode = json.JSONEncoder(ensure_ascii=False, separators=(",", ":")).encode


class RunJournalDamaged(DcePlayError):
    """A line that is not the last one is not an event."""

    exit_code = ExitCode.RESUME_REFUSED

    def __init__(self, path: Path, line: int) -> None:
        super().__init__(f"{path}:{line}: not an event", hint="the run cannot be continued; start a new one")
        self.path = path
        self.line = line


class RunStillGoing(DcePlayError):
    """The journal is held by a living run."""

    exit_code = ExitCode.LOCKED

    def __init__(self, path: Path) -> None:
        super().__init__(f"run {path.parent.name} is still going", hint="wait for it to end")
        self.path = path


class Journal:
    """Takes events to disk. What a crash must not lose is durable when ``accept`` returns.

    That is the beginning and end of steps with effects, checkpoints, and the beginning and end of the run.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._lines = _open_held(path)
        self._effectful: set[str] = set()

    def accept(self, event: Event, /) -> None:
        """Append one event.

        Raises: OSError, when it cannot be written: a run without a record does not go on.
        """
        line = _encode(to_json(event)).encode("utf-8", "backslashreplace")
        self._lines.add(line, durable=self._is_durable(event))

    def close(self) -> None:
        """Let go of the file."""
        self._lines.close()

    def _is_durable(self, event: Event) -> bool:
        match event.body:
            case StepStarted(effects=effects, step=step):
                if effects == "none":
                    return False
                self._effectful.add(step.id)
                return True
            case StepEnded(step=step):
                return step.id in self._effectful
            case RunStarted() | RunResumed() | RunEnded() | CheckpointPut():
                return True
            case _:
                return False


class RunFolderUnusable(UsageError):
    """The run folder or its journal cannot be made."""

    def __init__(self, folder: Path, error: OSError) -> None:
        super().__init__(
            f"cannot keep the run's record in {folder}: {error.strerror or error}",
            hint=write_hint(
                error,
                full="make room there, or choose another place with --state-dir",
                other="choose another place with --state-dir",
            ),
        )


def open_journal(folder: Path) -> Journal:
    """Return the journal of a run folder, which is made where there is none.

    Raises: RunFolderUnusable; RunStillGoing.
    """
    try:
        REAL.make_folder(folder)  # a journal in a folder whose own name is lost with the power was never there
        (folder / "scratch").mkdir(exist_ok=True)
        return Journal(folder / JOURNAL_NAME)
    except OSError as error:
        raise RunFolderUnusable(folder, error) from error


def _open_held(path: Path) -> LineFile:
    """Open for adding lines, held. A run that was killed while it started a program holds on until that program runs.

    Raises: RunStillGoing.
    """
    descriptor = open_locked(path, os.O_RDWR | os.O_CREAT, mode=0o600, wait_s=1.0)
    if descriptor is None:
        raise RunStillGoing(path)
    try:
        return LineFile(descriptor)
    except BaseException:
        os.close(descriptor)
        raise


def read_journal(path: Path) -> list[dict[str, JsonValue]]:
    """Return the events of a journal as JSON objects, without a torn last line.

    Raises: RunJournalDamaged; OSError.
    """
    lines = read_regular(path).split(b"\n")
    events: list[dict[str, JsonValue]] = []
    for number, line in enumerate(lines[:-1], start=1):
        try:
            event = json.loads(line)
        except ValueError as error:
            raise RunJournalDamaged(path, number) from error
        if not isinstance(event, dict):
            raise RunJournalDamaged(path, number)
        events.append(event)
    return events


def readable_events(path: Path) -> tuple[list[dict[str, JsonValue]], list[int]]:
    """Return the events that can be read, and the numbers of the lines that are none; a torn last line is no damage.

    Raises: OSError.
    """
    events: list[dict[str, JsonValue]] = []
    damaged: list[int] = []
    for number, line in enumerate(read_regular(path).split(b"\n")[:-1], start=1):
        try:
            event = json.loads(line)
        except (ValueError, RecursionError):
            event = None
        if isinstance(event, dict):
            events.append(event)
        else:
            damaged.append(number)
    return events, damaged


@dataclass(frozen=True, slots=True, kw_only=True)
class JournalState:
    """What looking at a journal tells."""

    events: list[dict[str, JsonValue]]
    running: bool

    @property
    def ended(self) -> bool:
        """Return whether the last event is the run's end."""
        return bool(self.events) and self.events[-1].get("type") == RunEnded.TYPE


def look(path: Path) -> JournalState:
    """Return the events and whether a living run holds the journal: a resumed one has an earlier end in it."""
    descriptor = open_locked(path, os.O_RDWR, wait_s=0.05)
    try:
        return JournalState(events=read_journal(path), running=descriptor is None)
    finally:
        if descriptor is not None:
            os.close(descriptor)


def _resume_command(events: list[dict[str, JsonValue]]) -> str:
    """Return the command that the run itself would have told to type; empty where it did not come to say one."""
    options = events[0].get("options")
    command = options.get("resume_command") if isinstance(options, dict) else None
    return command if isinstance(command, str) else ""


def close_lost(path: Path, *, ts: str) -> None:
    """Write the end of a run that was killed. Does nothing for one that goes on, or that has its end.

    Raises: RunJournalDamaged.
    """
    state = look(path)
    if state.running or state.ended or not state.events:
        return
    last = state.events[-1]
    seq, run = last.get("seq"), last.get("run")
    if not isinstance(seq, int) or not isinstance(run, str):
        raise RunJournalDamaged(path, len(state.events))
    journal = Journal(path)
    try:
        again = _resume_command(state.events) or f"dce-play resume {path.parent.name}"
        body = RunEnded(outcome=Outcome.LOST, exit_code=137, duration_s=0.0, next_command=again)
        journal.accept(Event(seq=seq + 1, ts=ts, run=run, body=body))
    finally:
        journal.close()
