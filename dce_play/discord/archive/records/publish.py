"""Whole files that take a name durably: a rewritten channel file, and the first export as a new one."""

import os
import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from dce_play.discord.archive.records.write_errors import NotEnoughSpace
from dce_play.system.durable.disk import Disk, FileFacts
from dce_play.system.durable.named_outputs import replaceable

RESERVE_BYTES = 1 << 20
"""Left free beside what is written, for journals and records."""
_MAX_NAME_BYTES = 255


def check_space(folder: Path, size_bytes: int, *, disk: Disk) -> None:
    """Refuse to begin what the disk cannot hold, with 1 MiB to spare.

    Raises: NotEnoughSpace.
    """
    free = disk.free_bytes(folder)
    if free < size_bytes + RESERVE_BYTES:
        raise NotEnoughSpace(folder, f"{size_bytes + RESERVE_BYTES} bytes needed, {free} free")


@contextmanager
def replacing(
    archive: Path, *, like: FileFacts | None, disk: Disk, source: Path | None = None
) -> Iterator[tuple[Path, int]]:
    """Give a new file to be written; when the block ends well it takes the name, durably, else it is removed.

    ``like`` is whose owner and permission bits it gets, and ``source`` whose attributes; by default those of the file
    that has the name. Its own name ends in neither ``.json`` nor ``].json``. A link keeps its name, and what it leads
    to is replaced.

    Raises: OutputNotWritten, when a device, a FIFO or a folder has the name.
    """
    archive = replaceable(archive, what="the messages")
    path = _temporary_beside(archive)
    descriptor = disk.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL, 0o666 if like is None else 0o600)
    try:
        if like is not None:
            disk.give(descriptor, like, source=source or archive)
        yield path, descriptor
        disk.sync(descriptor)
        disk.rename(path, archive)
    except BaseException:
        disk.unlink(path)
        raise
    finally:
        disk.close(descriptor)
    disk.sync_folder(archive.parent)


def _temporary_beside(archive: Path) -> Path:
    end = f".dce-replace.{secrets.token_hex(4)}".encode("ascii")
    name = os.fsencode(archive.name)[: _MAX_NAME_BYTES - len(end) - 1]
    return archive.with_name(os.fsdecode(b"." + name + end))
