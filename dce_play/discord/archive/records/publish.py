"""Whole files that take a name durably: a rewritten channel file, and the first export as a new one."""

from contextlib import AbstractContextManager
from pathlib import Path

from dce_play.discord.archive.records.write_errors import NotEnoughSpace
from dce_play.system.counted import counted
from dce_play.system.durable import whole_files
from dce_play.system.durable.disk import Disk, FileFacts
from dce_play.system.durable.named_outputs import replaceable
from dce_play.system.durable.whole_files import NewFile, hidden_beside, random_token

RESERVE_BYTES = 1 << 20
"""Left free beside what is written, for journals and records."""


def check_space(folder: Path, size_bytes: int, *, disk: Disk) -> None:
    """Refuse to begin what the disk cannot hold, with 1 MiB to spare.

    Raises: NotEnoughSpace.
    """
    free = disk.free_bytes(folder)
    if free < size_bytes + RESERVE_BYTES:
        raise NotEnoughSpace(folder, f"{counted(size_bytes + RESERVE_BYTES, 'byte')} needed, {free} free")


def replacing(
    archive: Path, *, like: FileFacts | None, disk: Disk, source: Path | None = None
) -> AbstractContextManager[NewFile]:
    """Give a new channel file to be written, which takes the name durably when the block ends well.

    ``like`` is whose owner and permission bits it gets, and ``source`` whose attributes; by default those of the file
    that has the name. Until then it has a name that salvage knows, which ends in neither ``.json`` nor ``].json``. A
    link keeps its name, and what it leads to is replaced.

    Raises: OutputNotWritten, when a device, a FIFO or a folder has the name.
    """
    archive = replaceable(archive, what="the messages")
    temporary = hidden_beside(archive, f".dce-replace.{random_token()}")
    return whole_files.replacing(archive, like=like, source=source or archive, temporary=temporary, disk=disk)
