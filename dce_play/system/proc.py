"""What Linux tells of processes under ``/proc``: who is who, and who holds which lock. Locks nothing, changes nothing.

A pid is not an identity: pids are used again, and every container has a process 1. Host, boot, pid namespace, pid
and start time together are one.
"""

import os
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

from dce_play.system.foreign_text import blanked

INITIAL_PID_NAMESPACE = "pid:[4026531836]"
"""The machine's own namespace, in which every process can be seen. Source: PROC_PID_INIT_INO of the kernel."""
_PROC = Path("/proc")


class Liveness(StrEnum):
    """What became of a process that once had a pid."""

    ALIVE = "alive"
    """A process with this pid is there; with a known start time, the same one."""
    REUSED = "reused"
    """The pid belongs to another process now."""
    GONE = "gone"


@dataclass(frozen=True, slots=True, kw_only=True)
class LockEntry:
    """One held ``flock`` as ``/proc/locks`` lists it. The pid is the one that took it, dead or alive."""

    pid: int
    device: int
    inode: int


@dataclass(frozen=True, slots=True, kw_only=True)
class OpenFile:
    """A process that has a file open under a ``flock`` that it, or an ancestor, took."""

    pid: int
    command: str


def boot_id() -> str:
    """Return the id of this boot of the machine; empty where the system tells none."""
    try:
        return (_PROC / "sys/kernel/random/boot_id").read_text(encoding="ascii").strip()
    except FileNotFoundError:
        return ""


def pid_namespace() -> str:
    """Return this process's pid namespace, as ``pid:[4026531836]``; empty where there are none."""
    try:
        return str((_PROC / "self/ns/pid").readlink())
    except FileNotFoundError:
        return ""


def start_ticks(pid: int) -> int | None:
    """Return when a process started, in clock ticks since boot; ``None`` when it is gone or hidden."""
    try:
        text = (_PROC / str(pid) / "stat").read_text(encoding="utf-8", errors="replace")
    except (FileNotFoundError, ProcessLookupError, PermissionError):
        return None
    fields = text.rpartition(")")[2].split()  # the name before it may hold spaces and brackets
    return None if fields[0] in {"Z", "X"} else int(fields[19])


def started_at(pid: int) -> float | None:
    """Return when a process started, in seconds since 1970, exact to a second; ``None`` when it is gone or hidden."""
    ticks = start_ticks(pid)
    if ticks is None:
        return None
    for line in (_PROC / "stat").read_text(encoding="ascii").splitlines():
        if line.startswith("btime "):
            return int(line.split()[1]) + ticks / os.sysconf("SC_CLK_TCK")
    return None


def liveness(pid: int, *, ticks: int | None = None) -> Liveness:
    """Return what became of a process of this machine and namespace; a zombie is gone.

    A process of another user may be hidden; that it cannot be signalled means that it is there.
    """
    now = start_ticks(pid)
    if now is not None:
        return Liveness.ALIVE if ticks in {None, now} else Liveness.REUSED
    try:
        os.kill(pid, 0)
    except PermissionError:
        return Liveness.ALIVE
    except (ProcessLookupError, OverflowError):
        return Liveness.GONE
    return Liveness.GONE


def command_line(pid: int) -> str:
    """Return a process's command line, cut to 200 characters; empty when it is gone."""
    try:
        raw = (_PROC / str(pid) / "cmdline").read_bytes()
    except OSError:
        return ""
    return blanked(raw.replace(b"\0", b" ").decode(errors="replace").strip())[:200]


def process_names() -> frozenset[str]:
    """Return the names, of 15 characters at most, of the processes that we can see."""
    found = set()
    for path in _PROC.glob("[0-9]*/comm"):
        with suppress(OSError):  # it has ended meanwhile
            found.add(path.read_text(encoding="utf-8", errors="replace").rstrip("\n"))
    return frozenset(found)


def flocks(inode: int) -> list[LockEntry]:
    """Return who took a ``flock`` on files of this inode number, on any device; waiters are left out."""
    found = []
    with suppress(FileNotFoundError):
        for line in (_PROC / "locks").read_text(encoding="ascii").splitlines():
            fields = line.split()
            if len(fields) < 8 or fields[1] != "FLOCK":  # a waiter's second field is an arrow
                continue
            major, minor, number = fields[5].split(":")
            if int(number) == inode:
                device = os.makedev(int(major, 16), int(minor, 16))
                found.append(LockEntry(pid=int(fields[4]), device=device, inode=inode))
    return found


def holders(device: int, inode: int) -> Iterator[OpenFile]:
    """Yield the processes that keep a ``flock`` on this file alive, as far as this user may look into them."""
    for entry in _PROC.iterdir():
        if entry.name.isdecimal() and next(_flocked(entry, only=(device, inode)), None) is not None:
            yield OpenFile(pid=int(entry.name), command=command_line(int(entry.name)))


def flocked_names(pid: int) -> list[str]:
    """Return the paths of the files that a process holds a ``flock`` on; a removed one ends in `` (deleted)``."""
    return list(_flocked(_PROC / str(pid), only=None))


def _flocked(process: Path, *, only: tuple[int, int] | None) -> Iterator[str]:
    """Yield the path of each file on which the process has a ``flock``; of one device and inode, if named."""
    try:
        numbers = [link.name for link in (process / "fd").iterdir()]
    except OSError:
        return
    for number in numbers:
        with suppress(OSError):
            link = process / "fd" / number
            opened = link.stat()
            if only not in {None, (opened.st_dev, opened.st_ino)}:
                continue
            if "FLOCK" in (process / "fdinfo" / number).read_text(encoding="ascii", errors="replace"):
                yield str(link.readlink())
