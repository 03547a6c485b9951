"""Reading what should be a regular file, where anything may stand: no FIFO is waited for, no device drained."""

import errno
import os
import stat
from pathlib import Path


def open_regular(path: Path, /) -> int:
    """Return a descriptor of the file, open for reading. The caller closes it.

    Raises: OSError, also when something else than a regular file stands there.
    """
    descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK | os.O_NOCTTY)
    if not stat.S_ISREG(os.fstat(descriptor).st_mode):
        os.close(descriptor)
        raise OSError(errno.EINVAL, "not a regular file", str(path))
    return descriptor


def read_regular(path: Path, /) -> bytes:
    """Return all bytes of the file.

    Raises: OSError, as ``open_regular`` does.
    """
    with os.fdopen(open_regular(path), "rb") as file:
        return file.read()
