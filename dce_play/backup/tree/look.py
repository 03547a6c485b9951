"""Looking at files from the folder that they lie in: no links followed, no names decoded."""

import errno
import os
from collections.abc import Iterator
from pathlib import Path

from dce_play.backup.streams import CHUNK_BYTES
from dce_play.backup.tree.sqlite_copy import MAGIC, is_sqlite

BLOCK_BYTES = 512
"""The unit of ``st_blocks``."""


def identity(path: Path | None) -> tuple[int, int] | None:
    """Return a folder's device and inode; ``None`` where nothing is there."""
    if path is None:
        return None
    try:
        status = path.stat()
    except OSError:
        return None
    return status.st_dev, status.st_ino


def listing(folder: int) -> tuple[Iterator[bytes], frozenset[bytes]]:
    """Return the names in an open folder, in the order of their bytes, and once more as a set."""
    names = sorted(os.fsencode(name) for name in os.listdir(folder))
    return iter(names), frozenset(names)


def open_file(folder: int, name: bytes) -> int:
    """Open a plain file for reading: no link, no waiting for a pipe, and its time of reading stays where it may."""
    flags = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
    try:
        return os.open(name, flags | os.O_NOATIME, dir_fd=folder)
    except PermissionError:  # not ours: then the time of its last reading moves
        return os.open(name, flags, dir_fd=folder)


def begins_as_sqlite(folder: int, name: bytes) -> bool:
    """Return whether a name is an SQLite database."""
    try:
        descriptor = open_file(folder, name)
    except OSError:
        return False
    try:
        return is_sqlite(os.pread(descriptor, len(MAGIC), 0))
    finally:
        os.close(descriptor)


def has_changed(before: os.stat_result, after: os.stat_result) -> bool:
    """Return whether a file was written to, or changed otherwise, between two looks."""
    return (before.st_size, before.st_mtime_ns, before.st_ctime_ns) != (
        after.st_size, after.st_mtime_ns, after.st_ctime_ns,
    )  # fmt: skip


def data_segments(descriptor: int, size: int) -> list[tuple[int, int]] | None:
    """Return the stretches of data of a file with holes, or ``None`` where the file system does not tell."""
    found: list[tuple[int, int]] = []
    at = 0
    while at < size:
        try:
            start = os.lseek(descriptor, at, os.SEEK_DATA)
            end = os.lseek(descriptor, start, os.SEEK_HOLE)
        except OSError as error:
            if error.errno == errno.ENXIO:
                break
            return None
        found.append((start, min(end, size) - start))
        at = end
    return found


def read_exactly(descriptor: int, offset: int, length: int) -> Iterator[bytes]:
    """Yield exactly so many bytes: zeros where the file has become shorter."""
    while length:
        data = os.pread(descriptor, min(CHUNK_BYTES, length), offset) or bytes(min(CHUNK_BYTES, length))
        offset, length = offset + len(data), length - len(data)
        yield data
