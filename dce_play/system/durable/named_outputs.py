"""The one writer of files that an operator named: reports, snapshots, summaries, copies of a document.

``write_named(path, data, what="the report")`` writes to whatever stands under the name, and never puts something else
in its place:

- nothing, or a regular file: the whole file or nothing, durably, by a rename beside it;
- a symbolic link: followed, so that the link stays and the file it leads to is written, also one that is not there yet;
- a device such as ``/dev/null`` or a terminal, a FIFO that somebody reads, a descriptor of our own (``/dev/stdout``,
  ``/dev/fd/3``): written through;
- a folder, a socket, a disk, a FIFO that nobody reads: refused.

What cannot be written is an error that names the place, and the command fails.
"""

import errno
import os
import re
import select
import stat
import time
from pathlib import Path
from typing import ClassVar

from dce_play.errors import DcePlayError, ExitCode
from dce_play.system.durable.whole_files import write_atomic

FIFO_PATIENCE_S = 10.0
"""How long a FIFO may stay without a reader, and a reader may take nothing."""
_POLL_S = 0.02
_OWN_DESCRIPTOR = re.compile(r"/(?:dev/fd|proc/(?:self|thread-self|\d+)/fd)/(\d+)")
_MOST_LINKS = 40
"""As many links in a row as the kernel follows. Source: path_resolution(7)."""


class OutputNotWritten(DcePlayError):
    """A file that somebody asked for could not be written."""

    exit_code: ClassVar[ExitCode] = ExitCode.FAILED

    def __init__(self, path: Path, reason: str, *, what: str) -> None:
        super().__init__(
            f"cannot write {what} to {path}: {reason}",
            hint="name a file in a folder that exists, may be written and has room",
        )
        self.path = path
        self.reason = reason


def check_named(path: Path, *, what: str) -> None:
    """Refuse, before the work whose outcome goes there, a place that cannot take it.

    Raises: OutputNotWritten.
    """
    try:
        if _own_descriptor(path) is not None:
            return
        target = _followed(path)
        kind = _kind(target)
        if kind is not None and not stat.S_ISREG(kind):
            _refuse_odd(target, kind, path, what)
        elif not target.parent.is_dir():
            raise OutputNotWritten(path, "its folder is not there", what=what)
        elif not os.access(target.parent, os.W_OK | os.X_OK):
            raise OutputNotWritten(path, "its folder may not be written", what=what)
    except OSError as error:
        raise OutputNotWritten(path, _reason(error), what=what) from error


def replaceable(path: Path, *, what: str) -> Path:
    """Return where a whole new file takes the name: after all links, and only of a regular file or of none.

    Raises: OutputNotWritten.
    """
    try:
        target = _followed(path)
        kind = _kind(target)
    except OSError as error:
        raise OutputNotWritten(path, _reason(error), what=what) from error
    if kind is not None and not stat.S_ISREG(kind):
        _refuse_odd(target, kind, path, what)
        raise OutputNotWritten(path, "it is no regular file", what=what)
    return target


def write_named(path: Path, data: bytes, *, what: str, mode: int | None = None, make_folder: bool = False) -> None:
    """Write all of the data to what stands under the name; ``what`` is said of it when that fails.

    Raises: OutputNotWritten.
    """
    try:
        descriptor = _own_descriptor(path)
        if descriptor is not None:
            _write_through(os.dup(descriptor), data)
            return
        target = _followed(path)
        kind = _kind(target)
        if kind is None or stat.S_ISREG(kind):
            if make_folder:
                target.parent.mkdir(parents=True, exist_ok=True)
            write_atomic(target, data, mode=mode)
            return
        _refuse_odd(target, kind, path, what)
        _write_through(open_through(target), data)
    except OSError as error:
        raise OutputNotWritten(path, _reason(error), what=what) from error


def open_through(path: Path) -> int:
    """Return a descriptor to write on what is no regular file: nothing is made, cut or replaced.

    A FIFO is waited for until somebody reads it. Raises: OSError.
    """
    end = time.monotonic() + FIFO_PATIENCE_S
    while True:
        try:
            return os.open(path, os.O_WRONLY | os.O_APPEND | os.O_NOCTTY | os.O_NONBLOCK | os.O_CLOEXEC)
        except OSError as error:
            if error.errno != errno.ENXIO or time.monotonic() >= end:
                raise
        time.sleep(_POLL_S)


def is_written_through(path: Path) -> bool:
    """Return whether the name leads to a device, a FIFO or a descriptor, which are never replaced."""
    try:
        kind = path.stat().st_mode
        leads_to_own = _own_descriptor(path) is not None
    except OSError:
        return False
    return leads_to_own or not (stat.S_ISREG(kind) or stat.S_ISDIR(kind))


def _own_descriptor(path: Path) -> int | None:
    """Return the descriptor that a name such as ``/dev/stdout`` stands for, after all links to it.

    Raises: OSError, for more links than the kernel follows.
    """
    place = Path(os.path.normpath(path.absolute()))
    for _ in range(_MOST_LINKS + 1):
        named = _OWN_DESCRIPTOR.fullmatch(str(place))
        if named is not None:
            return int(named[1])
        if not place.is_symlink():
            return None
        place = Path(os.path.normpath(place.parent / place.readlink()))
    raise OSError(errno.ELOOP, os.strerror(errno.ELOOP))


def _followed(path: Path) -> Path:
    """Return where the name leads, after all links; the last part need not be there.

    Raises: OSError, for links that go round in a circle.
    """
    try:
        return Path(os.path.realpath(path, strict=True))
    except FileNotFoundError:
        return Path(os.path.realpath(path))


def _kind(path: Path) -> int | None:
    try:
        return path.lstat().st_mode
    except FileNotFoundError:
        return None


def _refuse_odd(target: Path, kind: int, path: Path, what: str) -> None:
    reasons = ((stat.S_ISDIR, "it is a folder"), (stat.S_ISSOCK, "it is a socket"), (stat.S_ISBLK, "it is a disk"))
    for is_kind, reason in reasons:
        if is_kind(kind):
            raise OutputNotWritten(path, reason, what=what)
    if not os.access(target, os.W_OK):
        raise OutputNotWritten(path, "it may not be written", what=what)


def _write_through(descriptor: int, data: bytes) -> None:
    """Write all of it, waiting for a slow reader, and close the descriptor."""
    try:
        view = memoryview(data)
        while view:
            try:
                view = view[os.write(descriptor, view[: 64 << 10]) :]
            except BlockingIOError as error:
                if not select.select([], [descriptor], [], FIFO_PATIENCE_S)[1]:
                    raise TimeoutError(errno.ETIMEDOUT, "nobody takes what is written") from error
    finally:
        os.close(descriptor)


def _reason(error: OSError) -> str:
    if error.errno == errno.ENXIO:
        return f"nobody reads it within {FIFO_PATIENCE_S:g} s"
    return (error.strerror or str(error)).lower()
