"""The answer to who finds a lock taken: by whom, for what, since when, and what to do about it."""

import shlex
from datetime import datetime, timedelta
from typing import ClassVar

from dce_play.errors import DcePlayError, ExitCode
from dce_play.system import proc
from dce_play.system.lock.status import LockStatus
from dce_play.system.lock.words import PLAIN, LockWords


class LockHeld(DcePlayError):
    """Somebody else holds the lock. Try again later: nothing was changed.

    The message is in the words of the lock's system; the hint tells the rest, a fact a line.
    """

    exit_code: ClassVar[ExitCode] = ExitCode.LOCKED

    def __init__(self, status: LockStatus, *, now: datetime, words: LockWords = PLAIN) -> None:
        self.status = status
        hint = [words.gate, *_facts(status, now), *_moves(status, words)]
        super().__init__(_message(status, words), hint="\n".join(line for line in hint if line))


def _message(status: LockStatus, words: LockWords) -> str:
    text = f"{words.busy} (lock: {status.path})."
    if status.file_lost:
        text += " Its lock file was removed; the lock is held all the same."
    meta = status.meta
    if meta is None:
        return f"{text} Wait for it to finish; never remove the lock file."
    running = "running" if status.holder_runs else "not running"
    return f"{text} Holder pid {meta.pid} ({running}, started {meta.started}): {meta.cmd}"


def _facts(status: LockStatus, now: datetime) -> list[str]:
    meta = status.meta
    facts = []
    if meta is not None:
        place = f" on {meta.host}" if meta.host else ""
        facts.append(f"who: pid {meta.pid}{place}{f', user {meta.user}' if meta.user else ''}")
        facts.append(f"what: {meta.cmd}{f', at step {meta.step}' if meta.step else ''}")
        facts.append(f"since: {meta.started}{_ago(meta.started, now)}{_last_sign(status, now)}")
    facts += [
        f"also held by: pid {holder.pid}, {holder.command}"
        for holder in status.holders
        if meta is None or holder.pid != meta.pid
    ]
    return facts


def _moves(status: LockStatus, words: LockWords) -> list[str]:
    moves = [f"wait: {words.wait}"] if words.wait else []
    if words.look:
        moves.append(f"look: {words.look.format(folder=shlex.quote(str(status.path.parent)))}")
    pid = _pid_to_stop(status)
    return [*moves, f"stop: kill {pid}"] if pid is not None else moves


def _pid_to_stop(status: LockStatus) -> int | None:
    pids = [holder.pid for holder in status.holders if holder.pid]
    meta = status.meta
    if meta is not None and meta.pid in pids and meta.pidns in {"", proc.pid_namespace()}:
        return meta.pid
    return pids[0] if pids else None


def _ago(stamp: str, now: datetime) -> str:
    try:
        moment = datetime.fromisoformat(stamp)
    except ValueError:
        return ""
    return f", for {_span(now - moment)}" if moment.tzinfo is not None else ""


def _last_sign(status: LockStatus, now: datetime) -> str:
    """Return how long ago the holder last got on, where it says so: when its note was written tells nothing of that."""
    try:
        changed = datetime.fromisoformat(status.meta.progress if status.meta else "")
    except ValueError:
        return ""
    return f", last progress {_span(now - changed)} ago" if changed.tzinfo is not None else ""


def _span(length: timedelta) -> str:
    seconds = max(0, int(length.total_seconds()))
    hours, minutes = divmod(seconds // 60, 60)
    if hours:
        return f"{hours} h {minutes} min"
    return f"{minutes} min" if minutes else f"{seconds} s"
