"""Files that are there whole or not at all."""

import os
import re
import secrets
from contextlib import suppress
from pathlib import Path

from dce_play.system.durable.disk import FileFacts, facts_from
from dce_play.system.durable.keeping import keep_attributes

_TOKEN_BYTES = 4


def sync_folder(folder: Path) -> None:
    """Make the folder's entries durable: a rename is on disk only when its folder is."""
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def is_below(path: Path, folder: Path | None) -> bool:
    """Return whether a path leads, also by symbolic links, to the folder or into it; into no folder leads none."""
    return folder is not None and path.resolve().is_relative_to(folder.resolve())


def write_atomic(path: Path, data: bytes, *, mode: int | None = None, durable: bool = True) -> None:
    """Write a whole file durably, by a temporary in the same folder and a rename.

    Without ``durable`` it is still whole or not there at all for every reader, but may be lost with the power.
    ``mode`` is set before the first byte is written, so that a secret is never readable by others; without it
    an existing file keeps its mode and a new one gets the umask's. An existing file keeps its owner, its group and its
    attributes where we may, see ``keeping``.
    """
    temporary = path.with_name(f".{path.name}.{secrets.token_hex(_TOKEN_BYTES)}.tmp")
    try:
        old: FileFacts | None = facts_from(path.stat())
    except FileNotFoundError:
        old = None
    flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC
    descriptor = os.open(temporary, flags, 0o666 if old is None and mode is None else 0o600)
    try:
        if old is not None:
            keep_attributes(descriptor, old, source=path)
        if mode is not None:
            os.fchmod(descriptor, mode)
        view = memoryview(data)
        while view:
            view = view[os.write(descriptor, view) :]
        if durable:
            os.fsync(descriptor)
        temporary.replace(path)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise
    finally:
        os.close(descriptor)
    if durable:
        sync_folder(path.parent)


def remove_leftovers(path: Path) -> None:
    """Remove what writers of a file left beside it when they were killed. Only for who alone writes the file."""
    name = re.compile(rf"\.{re.escape(path.name)}\.[0-9a-f]{{{2 * _TOKEN_BYTES}}}\.tmp")
    with suppress(OSError):  # what stays is in nobody's way
        for each in path.parent.iterdir():
            if name.fullmatch(each.name):
                each.unlink()
