"""Whether a shipper runs, found out by looking at the kernel's list of locks: looking does not lock anybody out."""

import fcntl
import os
from pathlib import Path

from dce_play.system import proc


def is_running(lock: Path) -> bool:
    """Return whether somebody holds a shipper's lock.

    Where the kernel's list does not tell (other pid namespaces, device numbers of some file systems) the lock is
    tried for a moment, shared; a shipper that starts at that moment tries again.
    """
    try:
        status = lock.stat()
    except OSError:
        return False
    if any(entry.device == status.st_dev for entry in proc.flocks(status.st_ino)):
        return True
    try:
        descriptor = os.open(lock, os.O_RDONLY | os.O_CLOEXEC)
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
