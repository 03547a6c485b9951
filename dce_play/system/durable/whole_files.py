"""Files that are there whole or not at all: written beside their name, synced, then given the name at one stroke.

This is the only way in which a whole file is written. ``write_atomic`` takes its bytes, ``replacing`` lets the caller
write them. Names that move, and names that must not be taken over, are in ``names``.
"""

import os
import re
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import NamedTuple

from dce_play.system.durable.disk import REAL, Disk, FileFacts

_TOKEN_BYTES = 4
_MAX_NAME_BYTES = 255


class NewFile(NamedTuple):
    """A file that is being written and has not its name yet."""

    path: Path
    descriptor: int
    """Open for reading and writing, at offset 0; closed by ``replacing``."""


def random_token() -> str:
    """Return 8 hex digits that no other writer of the same name has."""
    return os.urandom(_TOKEN_BYTES).hex()  # what `secrets` does, without the 5 ms that importing it takes


def hidden_beside(path: Path, ending: str) -> Path:
    """Return ``.<name><ending>`` in the same folder, the name cut so that all of it has 255 bytes at most."""
    end = ending.encode()
    name = os.fsencode(path.name)[: _MAX_NAME_BYTES - len(end) - 1]
    return path.with_name(os.fsdecode(b"." + name + end))


@contextmanager
def replacing(
    path: Path,
    *,
    mode: int | None = None,
    like: FileFacts | None = None,
    source: Path | None = None,
    temporary: Path | None = None,
    durable: bool = True,
    sync_name: bool = True,
    disk: Disk = REAL,
) -> Iterator[NewFile]:
    """Give a new file to be written; when the block ends well it takes the name, else it is removed.

    Before the first byte it gets the owner and mode of ``like`` and the attributes of ``source``, where we may (see
    ``keeping``), and then ``mode``: a secret is never readable by others. Without any the umask decides.
    ``temporary`` is for who holds a lock on the name and wants a fixed one, so that crashes leave at most one file
    behind. Without ``durable`` readers still see old or new and nothing between, but a power loss may leave an empty
    or a torn file: only for what can be made again. Without ``sync_name`` the bytes are durable and the name is not
    yet: for who gives several names in one folder and makes them durable together, by ``sync_folder``.

    Raises: OSError; the file under the name is as it was.
    """
    beside = temporary or hidden_beside(path, f".{random_token()}.tmp")
    flags = os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | (os.O_EXCL if temporary is None else os.O_TRUNC)
    descriptor = disk.open(beside, flags, 0o666 if mode is None and like is None else 0o600)
    try:
        if like is not None:
            disk.give(descriptor, like, source=source)
        if mode is not None:
            disk.set_mode(descriptor, mode)
        yield NewFile(beside, descriptor)
        if durable:
            disk.sync(descriptor)
        disk.rename(beside, path)
    except BaseException:
        with suppress(OSError):  # what went wrong first is what counts
            disk.unlink(beside)
        raise
    finally:
        disk.close(descriptor)
    if durable and sync_name:
        disk.sync_folder(path.parent)


def write_atomic(
    path: Path,
    data: bytes,
    *,
    mode: int | None = None,
    temporary: Path | None = None,
    durable: bool = True,
    sync_name: bool = True,
    disk: Disk = REAL,
) -> None:
    """Write a whole file as ``replacing`` does. An existing file keeps its owner and attributes, and its mode too
    without ``mode``.

    Raises: OSError; the file under the name is as it was.
    """
    old = disk.facts_of(path)
    source = None if old is None else path
    with replacing(
        path,
        mode=mode,
        like=old,
        source=source,
        temporary=temporary,
        durable=durable,
        sync_name=sync_name,
        disk=disk,
    ) as new:
        disk.write_at(new.descriptor, data, 0)


def read_whole(path: Path, *, disk: Disk = REAL) -> bytes | None:
    """Return a small file's bytes, or ``None`` when it is not there."""
    try:
        descriptor = disk.open(path, os.O_RDONLY)
    except FileNotFoundError:
        return None
    try:
        return disk.read_at(descriptor, disk.facts(descriptor).size_bytes, 0)
    finally:
        disk.close(descriptor)


def sync_folder(folder: Path) -> None:
    """Make the folder's entries durable: a rename is on disk only when its folder is."""
    REAL.sync_folder(folder)


def is_below(path: Path, folder: Path | None) -> bool:
    """Return whether a path leads, also by symbolic links, to the folder or into it; into no folder leads none."""
    return folder is not None and path.resolve().is_relative_to(folder.resolve())


def remove_leftovers(path: Path) -> None:
    """Remove what writers of a file left beside it when they were killed. Only for who alone writes the file."""
    name = re.compile(rf"\.{re.escape(path.name)}\.[0-9a-f]{{{2 * _TOKEN_BYTES}}}\.tmp")
    with suppress(OSError):  # what stays is in nobody's way
        for each in path.parent.iterdir():
            if name.fullmatch(each.name):
                each.unlink()
