"""Crashes inside this process: from the n-th change of the disk on, every further change is refused, as after a kill.

The interpreter's audit events tell of each open for writing, rename, removal and new folder below one root.
"""

import errno
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

_CHANGES = frozenset({"os.rename", "os.remove", "open"})
_WRITES = os.O_WRONLY | os.O_RDWR | os.O_CREAT | os.O_TRUNC


class Crash(BaseException):
    """The process ends here. Not an ``Exception``: nothing on the way may handle it."""


class _Watch:
    """What is watched now. An audit hook cannot be taken back, so there is one for the process."""

    root: str = ""
    left: int = -1
    full: bool = False
    installed: bool = False


_watch = _Watch()


def _hook(event: str, arguments: tuple[object, ...]) -> None:
    if not _watch.root or event not in _CHANGES:
        return
    path = arguments[0]
    if not isinstance(path, str | bytes) or not os.fsdecode(path).startswith(_watch.root):
        return
    if event == "open" and not (isinstance(arguments[2], int) and arguments[2] & _WRITES):
        return
    if "/.ship/" in os.fsdecode(path) or "-probe." in os.fsdecode(path):
        return
    if _watch.full:
        if event == "open":
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), os.fsdecode(path))
        return
    if _watch.left <= 0:
        raise Crash
    _watch.left -= 1


@contextmanager
def crash_after(root: Path, changes: int) -> Iterator[None]:
    """Let so many changes below the root happen, and none after them; the ``Crash`` ends here."""
    with _watching(root, left=changes), suppress(Crash):
        yield


@contextmanager
def full_disk(root: Path) -> Iterator[None]:
    """Refuse every new file below the root with ENOSPC."""
    with _watching(root, full=True):
        yield


@contextmanager
def _watching(root: Path, *, left: int = -1, full: bool = False) -> Iterator[None]:
    if not _watch.installed:
        sys.addaudithook(_hook)
        _watch.installed = True
    _watch.left, _watch.full, _watch.root = left, full, f"{root}/"
    try:
        yield
    finally:
        _watch.root = ""
