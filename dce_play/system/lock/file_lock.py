"""Kernel locks on files: ``flock``, the very lock that ``flock(1)`` takes.

``with flock_file(path):`` keeps two processes from changing one file at once. The kernel drops the lock when the
last process that has the descriptor open is gone, however it went.
"""

import errno
import fcntl
import os
import stat
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import ClassVar

from dce_play.errors import DcePlayError, ExitCode
from dce_play.system import proc
from dce_play.system.clock import Clock, SystemClock

SHORTEST_PAUSE_S = 0.01
LONGEST_PAUSE_S = 0.25
Opener = Callable[[Path, int, int], int]
"""Opens a file: path, flags, mode of a new one; returns the descriptor."""
_NO_FLOCK = frozenset({errno.ENOSYS, errno.ENOTSUP, errno.EOPNOTSUPP, errno.ENOLCK, errno.EINVAL})


class FlockUnsupported(DcePlayError):
    """The file system has no ``flock``. Any other kind of lock would be one that ``flock(1)`` does not see."""

    exit_code: ClassVar[ExitCode] = ExitCode.PREFLIGHT

    def __init__(self, path: Path) -> None:
        self.path = path
        super().__init__(
            f"the file system of {path} cannot lock files",
            hint="put the lock file on a local disk, the same one for all who write here",
        )


class FileBusy(DcePlayError):
    """Another process has the file locked."""

    exit_code: ClassVar[ExitCode] = ExitCode.LOCKED

    def __init__(self, path: Path) -> None:
        self.path = path
        super().__init__(f"another process is changing {path}", hint="try again when it has finished")


class NoRegularFile(DcePlayError):
    """What stands where a lock file should be is a FIFO, a device, a folder or a socket."""

    exit_code: ClassVar[ExitCode] = ExitCode.PREFLIGHT

    def __init__(self, path: Path) -> None:
        self.path = path
        super().__init__(
            f"cannot lock {path}: it is not a regular file", hint="look at what it is; remove it if nobody needs it"
        )


def open_locked(
    path: Path,
    flags: int,
    *,
    mode: int = 0o666,
    wait_s: float = 0.0,
    clock: Clock | None = None,
    open_file: Opener = os.open,
) -> int | None:
    """Open the file that the path names now and lock it; return the descriptor, or ``None`` when it stays locked.

    The caller closes the descriptor, which programs inherit only when told to. A file that was replaced between
    opening and locking is let go and opened anew. ``mode`` is for a file that ``O_CREAT`` makes;
    ``open_file`` opens instead of ``os.open``.

    Raises: NoRegularFile; FlockUnsupported; OSError, as ``open`` does.
    """
    clock = clock or SystemClock()
    deadline = clock.monotonic() + wait_s
    pause_s = SHORTEST_PAUSE_S
    while (descriptor := _open_and_try(path, flags, mode, open_file)) is None:
        if clock.monotonic() >= deadline:
            return None
        clock.sleep(pause_s)
        pause_s = min(2 * pause_s, LONGEST_PAUSE_S)
    return descriptor


@contextmanager
def flock_file(
    path: Path, *, wait_s: float = 0.0, clock: Clock | None = None, open_file: Opener = os.open
) -> Iterator[int]:
    """Hold the lock of an existing file; gives the descriptor, opened for reading unless ``open_file`` does more.

    Raises: FileBusy, when it is still locked after ``wait_s``; NoRegularFile; FlockUnsupported; FileNotFoundError.
    """
    descriptor = open_locked(path, os.O_RDONLY, wait_s=wait_s, clock=clock, open_file=open_file)
    if descriptor is None:
        raise FileBusy(path)
    try:
        yield descriptor
    finally:
        os.close(descriptor)


def is_locked(path: Path) -> bool:
    """Return whether somebody holds a file's lock: by the kernel's list, which locks nobody out.

    Where the list does not tell (other pid namespaces, device numbers of some file systems) the lock is tried for a
    moment, shared, so that two who look do not see each other; who takes the lock at that moment has to try again.
    """
    try:
        status = path.stat()
        if any(entry.device == status.st_dev for entry in proc.flocks(status.st_ino)):
            return True
        descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK | os.O_NOCTTY)
    except OSError:
        return False
    try:
        fcntl.flock(descriptor, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    except OSError:
        return False
    finally:
        os.close(descriptor)
    return False


def _open_and_try(path: Path, flags: int, mode: int, open_file: Opener) -> int | None:
    while True:
        # Not blocking: opening a FIFO would wait for its other end. A lock on anything but a file holds nothing.
        descriptor = open_file(path, flags | os.O_CLOEXEC | os.O_NONBLOCK | os.O_NOCTTY, mode)
        kept = False
        try:
            if not stat.S_ISREG(os.fstat(descriptor).st_mode):
                raise NoRegularFile(path)
            if not try_flock(descriptor, path):
                return None
            kept = still_names(path, descriptor)
            if kept:
                return descriptor
        finally:
            if not kept:
                os.close(descriptor)


def try_flock(descriptor: int, path: Path) -> bool:
    """Lock an open file, whatever its name; return whether nobody else has it locked. Duplicates share the lock.

    Raises: FlockUnsupported, which names the path.
    """
    # Imported here because it takes 50 ms, as much as all the rest of a command's start. `lock_descriptor` and not
    # `FileLock`: that one unlocks at release and at exit, under the feet of a child that has inherited the lock.
    from filelock import lock_descriptor

    try:
        return lock_descriptor(descriptor, blocking=False)
    except OSError as error:
        if error.errno in _NO_FLOCK:
            raise FlockUnsupported(path) from error
        raise


def still_names(path: Path, descriptor: int) -> bool:
    """Return whether the path still names the file that is open."""
    held = os.fstat(descriptor)
    try:
        named = path.stat()
    except FileNotFoundError:
        return False
    return (held.st_dev, held.st_ino) == (named.st_dev, named.st_ino)
