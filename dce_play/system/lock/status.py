"""Whether somebody holds a lock, found out by looking only.

Nothing is locked and nothing created: a look that locks would make others' attempts fail. The kernel's lists decide;
the note beside the lock only tells more about what they say.
"""

import os
import time
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

from dce_play.system import proc
from dce_play.system.disk import mount_of
from dce_play.system.identity import Life, life_of
from dce_play.system.lock.note import LockMeta, check_places, read_meta
from dce_play.system.lock.words import PLAIN, LockWords

_LOOKS = 4
_PAUSE_S = 0.02
_EXACT_KINDS = frozenset({"ext2", "ext3", "ext4", "xfs", "tmpfs", "ramfs", "f2fs"})
"""File systems whose files have the same device number for ``stat`` and in ``/proc/locks``."""


class Verdict(StrEnum):
    """What can be said about a lock. Only ``held`` keeps others out."""

    HELD = "held"
    FREE = "free"
    STALE = "stale"
    """Free, and the note's writer is gone: the note can be removed."""
    SUSPECT = "suspect"
    """Free, but the note's writer lives."""
    UNKNOWN = "unknown"
    """It cannot be seen from here, or the note was written in another pid namespace."""
    FOREIGN = "foreign"
    """Free as far as this machine knows, but the note is another machine's."""


@dataclass(frozen=True, slots=True, kw_only=True)
class LockStatus:
    """What a look at a lock told."""

    path: Path
    verdict: Verdict
    state: str
    """The verdict in words, as the operators' scripts print it after ``state:``."""
    holders: tuple[proc.OpenFile, ...] = ()
    """Who really holds it; several when programs inherited it."""
    meta: LockMeta | None = None
    meta_verdict: Verdict = Verdict.FREE
    """What the note alone says."""
    file_lost: bool = False
    """Held, on a file that has not its name any more."""

    @property
    def ours(self) -> bool:
        """Return whether this very process holds it."""
        return any(holder.pid == os.getpid() for holder in self.holders)

    @property
    def reclaimable(self) -> bool:
        """Return whether there is a note that nobody needs any more."""
        return self.verdict is not Verdict.HELD and self.meta is not None and self.meta_verdict is Verdict.STALE

    @property
    def holder_runs(self) -> bool:
        """Return whether the note's writer still runs, as far as can be seen."""
        return self.meta_verdict in {Verdict.SUSPECT, Verdict.UNKNOWN, Verdict.FOREIGN}


def lock_status(path: Path, *, words: LockWords = PLAIN) -> LockStatus:
    """Look at a lock.

    A note is read before the kernel's lists, so a lock that changed hands in between looks free with a living
    writer: such a look is taken again before it is told.

    Raises: LockUnusable, when the lock or its note is no regular file.
    """
    for _ in range(_LOOKS):
        seen = _look(path, words)
        if seen.verdict is not Verdict.SUSPECT:
            return seen
        time.sleep(_PAUSE_S)
    return seen


def _look(path: Path, words: LockWords) -> LockStatus:
    check_places(path)
    meta = read_meta(path)
    meta_verdict, meta_state = judge_meta(meta)
    held, holders = _kernel_of(path)
    lost = None if held or meta is None else lost_holders(path, meta)
    if held:
        verdict, state = Verdict.HELD, f"held ({words.activity})"
    elif lost is not None:
        verdict, holders = Verdict.HELD, lost
        state = f"held ({words.activity}); its lock file was removed"
    elif held is None:
        verdict, state = Verdict.UNKNOWN, "unknown (who holds locks on this file cannot be seen from here)"
    elif not path.exists():
        verdict, state = Verdict.FREE, "free (no lock file)"
    else:
        verdict, state = meta_verdict, meta_state
    return LockStatus(
        path=path,
        verdict=verdict,
        state=state,
        holders=holders,
        meta=meta,
        meta_verdict=meta_verdict,
        file_lost=lost is not None,
    )


def lost_holders(path: Path, meta: LockMeta) -> tuple[proc.OpenFile, ...] | None:
    """Return who holds the file that the note's writer locked, if the path names another file now or none.

    ``None`` when nobody does, or nobody who can be seen. A note of the old scripts does not name its file: for these
    the writer's own open files are looked through for a locked one that had this name.
    """
    device, _, inode = meta.lock_file.partition(":")
    if device.isdecimal() and inode.isdecimal():
        locked = (int(device), int(inode))
        try:
            now = path.stat()
        except FileNotFoundError:
            pass
        else:
            if (now.st_dev, now.st_ino) == locked:
                return None
        held, holders = _kernel(*locked, path.parent)
        return holders if held else None
    if life_of(meta) is not Life.ALIVE:
        return None
    name = f"{os.path.realpath(path.parent)}/{path.name} (deleted)"
    if any(link == name for link in proc.flocked_names(meta.pid)):
        return (proc.OpenFile(pid=meta.pid, command=proc.command_line(meta.pid)),)
    return None


def judge_meta(meta: LockMeta | None) -> tuple[Verdict, str]:
    """Return what a note says of a lock that the kernel calls free."""
    if meta is None:
        return Verdict.FREE, "free (lock file present but not held)"
    match life_of(meta):
        case Life.REBOOTED:
            return Verdict.STALE, f"stale (reclaimable; the machine has rebooted since pid {meta.pid} took it)"
        case Life.ELSEWHERE:
            return Verdict.FOREIGN, f"foreign (not held here; last taken on host {meta.host})"
        case Life.HIDDEN:
            where = f"pid {meta.pid} is in another pid namespace, see {meta.host}"
            return Verdict.UNKNOWN, f"unknown (not held here; {where})"
        case Life.GONE:
            return Verdict.STALE, f"stale (reclaimable; holder pid {meta.pid} is not running)"
        case Life.REUSED:
            return Verdict.STALE, f"stale (reclaimable; pid {meta.pid} is another process now)"
        case Life.ALIVE:
            return Verdict.SUSPECT, f"suspect (pid {meta.pid} is running but holds nothing)"


def _kernel_of(path: Path) -> tuple[bool | None, tuple[proc.OpenFile, ...]]:
    try:
        status = path.stat()
    except FileNotFoundError:
        return False, ()
    return _kernel(status.st_dev, status.st_ino, path)


def _kernel(device: int, inode: int, place: Path) -> tuple[bool | None, tuple[proc.OpenFile, ...]]:
    """Return whether the file is locked (``None`` when that cannot be told), and by whom.

    ``place`` is any path on the file's file system.
    """
    takers = [entry for entry in proc.flocks(inode) if entry.device == device]
    if not takers and _sees_all(place):
        return False, ()
    holders = tuple(sorted(proc.holders(device, inode), key=lambda holder: holder.pid))
    if holders:
        return True, holders
    if takers:
        return True, tuple(proc.OpenFile(pid=entry.pid, command=proc.command_line(entry.pid)) for entry in takers)
    return None, ()


def _sees_all(path: Path) -> bool:
    """Return whether ``/proc/locks`` lists every lock on the file: all processes, and by the number ``stat`` gives."""
    return proc.pid_namespace() == proc.INITIAL_PID_NAMESPACE and mount_of(path).kind in _EXACT_KINDS
