"""What a unit has told the systemd journal: lines with their times, from ``journalctl`` or a file of its JSON."""

import json
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import ClassVar

from dce_play.errors import DcePlayError, ExitCode
from dce_play.system.process.executor import Command, Executor, NoSuchProgram

PROGRAM = "journalctl"
_LONGEST_LINE = 1 << 20
_PRIORITY = re.compile(r"<[0-7]>")
_DENIED = re.compile(r"insufficient permissions|not seeing messages from other users|permission denied", re.IGNORECASE)


class JournalDenied(DcePlayError):
    """The journal cannot be read from here."""

    exit_code: ClassVar[ExitCode] = ExitCode.PREFLIGHT


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """One line that a unit wrote. ``time`` is ``None`` where the journal tells none."""

    time: datetime | None
    message: str


def read_journal_file(path: Path, *, since: datetime) -> list[Entry]:
    """Return the entries of a file of ``journalctl -o json`` lines that are not older than ``since``.

    Raises: JournalDenied, when the file cannot be read.
    """
    try:
        with path.open("rb") as lines:
            return list(_entries(lines, since=since))
    except OSError as error:
        raise JournalDenied(f"cannot read {path}: {(error.strerror or 'no reason given').lower()}") from error


def read_unit(unit: str, *, since: datetime, now: datetime, executor: Executor) -> list[Entry]:
    """Return what a unit has written since then, oldest first.

    Raises: JournalDenied, when there is no journal, or this user may not read it.
    """
    minutes = max(1, -(-int((now - since).total_seconds()) // 60))
    argv = (PROGRAM, "-u", unit, "-o", "json", "--no-pager", f"--since=-{minutes}min")
    try:
        ended = executor.run(Command(argv=argv, timeout_s=60.0, env={"LC_ALL": "C"}))
    except NoSuchProgram as error:
        raise JournalDenied(f"no {PROGRAM} on this machine") from error
    if ended.exit_code != 0 or (_DENIED.search(ended.stderr) and not ended.stdout.strip()):
        last = ended.stderr.strip().splitlines()[-1:] or [f"it exits {ended.exit_code}"]
        raise JournalDenied(f"{PROGRAM}: {last[0][:200]}")
    return list(_entries((line.encode() for line in ended.stdout.splitlines()), since=since))


def _entries(lines: Iterable[bytes], *, since: datetime) -> Iterator[Entry]:
    for line in lines:
        if len(line) > _LONGEST_LINE:
            continue
        try:
            value = json.loads(line)
        except (ValueError, RecursionError):
            continue
        if not isinstance(value, dict):
            continue
        time = _time(value.get("__REALTIME_TIMESTAMP"))
        if time is not None and time < since:
            continue
        yield Entry(time=time, message=_text(value.get("MESSAGE")))


def _time(stamp: object) -> datetime | None:
    """Return the moment that microseconds since 1970, as text, mean."""
    try:
        return datetime(1970, 1, 1, tzinfo=UTC) + timedelta(microseconds=int(str(stamp)))
    except (ValueError, OverflowError):
        return None


def _text(message: object) -> str:
    """Return a message as text: one that is no UTF-8 comes as a list of its bytes, one that is too long as null."""
    if isinstance(message, list):
        numbers = [each for each in message if isinstance(each, int) and 0 <= each < 256]
        message = bytes(numbers).decode("utf-8", "replace")
    if not isinstance(message, str):
        return ""
    return _PRIORITY.sub("", message, count=1) if _PRIORITY.match(message) else message
