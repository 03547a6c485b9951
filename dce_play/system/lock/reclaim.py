"""Tidying up after a run that died: its note is removed, under the lock, and the lock file stays."""

import os
from datetime import UTC, datetime
from pathlib import Path
from typing import ClassVar

from dce_play.errors import DcePlayError, ExitCode
from dce_play.system.lock.file_lock import open_locked
from dce_play.system.lock.held import LockHeld
from dce_play.system.lock.note import LockMeta, check_places, meta_path, read_meta
from dce_play.system.lock.status import Verdict, judge_meta, lock_status, lost_holders
from dce_play.system.lock.words import PLAIN, LockWords


class HolderRuns(DcePlayError):
    """The note's writer is not known to be gone, so its note stays."""

    exit_code: ClassVar[ExitCode] = ExitCode.USAGE

    def __init__(self, path: Path, *, meta: LockMeta, verdict: Verdict, words: LockWords) -> None:
        self.path = path
        self.meta = meta
        if verdict is Verdict.SUSPECT:
            message = "Cannot reclaim: lock holder pid is still running."
        else:
            message = f"Cannot reclaim: whether pid {meta.pid} on {meta.host} is running cannot be seen from here."
        super().__init__(message, hint=words.force)


def reclaim(path: Path, *, force: bool = False, words: LockWords = PLAIN) -> LockMeta | None:
    """Remove the note of a lock that nobody holds; return it, or ``None`` when there is none.

    ``force`` also removes the note of a writer that may live, and one that cannot be read. A lock that is held is
    never touched; without a note nothing is touched or created at all.

    Raises: LockHeld; LockUnusable; HolderRuns, unless forced.
    """
    check_places(path)
    note = meta_path(path)
    if not note.exists():
        return None
    descriptor = open_locked(path, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW)
    if descriptor is None:
        raise LockHeld(lock_status(path, words=words), now=datetime.now(UTC), words=words)
    try:
        meta = read_meta(path)  # again: it may have changed hands before we had the lock
        if meta is not None and lost_holders(path, meta) is not None:
            raise LockHeld(lock_status(path, words=words), now=datetime.now(UTC), words=words)
        verdict, _ = judge_meta(meta)
        if meta is not None and verdict is not Verdict.STALE and not force:
            raise HolderRuns(path, meta=meta, verdict=verdict, words=words)
        if meta is not None or force:
            note.unlink(missing_ok=True)
        return meta
    finally:
        os.close(descriptor)
