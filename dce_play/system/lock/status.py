"""Whether somebody holds an archive root's lock, found out by looking only.

Nothing is locked and nothing created: a look that locks would make others' attempts fail. The kernel's lists decide;
the note beside the lock only tells more about what they say.
"""

import os
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from pathlib import Path

from dce_play.system import proc
from dce_play.system.disk import mount_of
from dce_play.system.lock.note import LockMeta, read_meta

REUSE_SLACK_S = 2.0
"""The old scripts wrote a note up to this long after they had started."""
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


def lock_status(path: Path) -> LockStatus:
    """Look at a lock."""
    meta = read_meta(path)
    meta_verdict, meta_state = judge_meta(meta)
    held, holders = _kernel(path)
    if held:
        verdict, state = Verdict.HELD, "held (active scrape)"
    elif held is None:
        verdict, state = Verdict.UNKNOWN, "unknown (who holds locks on this file cannot be seen from here)"
    elif not path.exists():
        verdict, state = Verdict.FREE, "free (no lock file)"
    else:
        verdict, state = meta_verdict, meta_state
    return LockStatus(path=path, verdict=verdict, state=state, holders=holders, meta=meta, meta_verdict=meta_verdict)


def judge_meta(meta: LockMeta | None) -> tuple[Verdict, str]:
    """Return what a note says of a lock that the kernel calls free."""
    if meta is None:
        return Verdict.FREE, "free (lock file present but not held)"
    host = os.uname().nodename
    if meta.boot_id and meta.boot_id != proc.boot_id():
        if meta.host in {"", host}:
            return Verdict.STALE, f"stale (reclaimable; the machine has rebooted since pid {meta.pid} took it)"
        return Verdict.FOREIGN, f"foreign (not held here; last taken on host {meta.host})"
    if meta.pidns and meta.pidns != proc.pid_namespace():
        return Verdict.UNKNOWN, f"unknown (not held here; pid {meta.pid} is in another pid namespace, see {meta.host})"
    match _liveness(meta):
        case proc.Liveness.GONE:
            return Verdict.STALE, f"stale (reclaimable; holder pid {meta.pid} is not running)"
        case proc.Liveness.REUSED:
            return Verdict.STALE, f"stale (reclaimable; pid {meta.pid} is another process now)"
        case proc.Liveness.ALIVE:
            return Verdict.SUSPECT, f"suspect (pid {meta.pid} is running but holds nothing)"


def _liveness(meta: LockMeta) -> proc.Liveness:
    alive = proc.liveness(meta.pid, ticks=meta.pid_start)
    if alive is not proc.Liveness.ALIVE or meta.pid_start is not None:
        return alive
    try:
        noted = datetime.fromisoformat(meta.started).timestamp()
    except ValueError:
        return alive
    begun = proc.started_at(meta.pid)
    return proc.Liveness.REUSED if begun is not None and begun > noted + REUSE_SLACK_S else alive


def _kernel(path: Path) -> tuple[bool | None, tuple[proc.OpenFile, ...]]:
    """Return whether the file is locked (``None`` when that cannot be told), and by whom."""
    try:
        status = path.stat()
    except FileNotFoundError:
        return False, ()
    takers = [entry for entry in proc.flocks(status.st_ino) if entry.device == status.st_dev]
    if not takers and _sees_all(path):
        return False, ()
    holders = tuple(sorted(proc.holders(status), key=lambda holder: holder.pid))
    if holders:
        return True, holders
    if takers:
        return True, tuple(proc.OpenFile(pid=entry.pid, command=proc.command_line(entry.pid)) for entry in takers)
    return None, ()


def _sees_all(path: Path) -> bool:
    """Return whether ``/proc/locks`` lists every lock on the file: all processes, and by the number ``stat`` gives."""
    return proc.pid_namespace() == proc.INITIAL_PID_NAMESPACE and mount_of(path).kind in _EXACT_KINDS
