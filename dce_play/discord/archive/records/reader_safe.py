"""Reading a channel file while somebody may append to it: never a torn end, and no lock."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from enum import StrEnum
from pathlib import Path

from dce_play.discord.archive.records.journal import AppendJournal, read_journal
from dce_play.discord.archive.scan.channel_bytes import ChannelBytes
from dce_play.discord.archive.scan.spans import read_head
from dce_play.discord.archive.scan.tail import NotCanonical, read_tail
from dce_play.errors import DcePlayError
from dce_play.layout import TargetLayout
from dce_play.system.durable.disk import REAL, Disk

_MAX_TRIES = 1000


class ReaderSafe(StrEnum):
    """What an append pays so that readers without our code never see an unfinished file."""

    AUTO = "auto"
    """A reflink where the file system can, else in place."""
    REFLINK = "reflink"
    """Clone, append to the clone, rename: an error where the file system cannot clone."""
    REWRITE = "rewrite"
    """Copy, append to the copy, rename: works everywhere and costs a full copy."""
    OFF = "off"
    """In place."""


class ReaderStarved(DcePlayError):
    """A channel file changed each time it was looked at."""

    def __init__(self, path: Path) -> None:
        super().__init__(f"{path} changes faster than it can be opened", hint="try again when the run has finished")
        self.path = path


@contextmanager
def open_consistent(archive: Path, *, layout: TargetLayout, disk: Disk = REAL) -> Iterator[ChannelBytes]:
    """Open a channel file as it was between two appends, for as long as the reader likes.

    Bytes before the cut never change and a rewritten file is a new one, so it is enough to keep the tail: the one in
    the journal where an append is under way, else the one that stands in the file.

    Raises: ReaderStarved, FileNotFoundError; JournalDamaged.
    """
    for _ in range(_MAX_TRIES):
        descriptor = disk.open(archive, os.O_RDONLY)
        try:
            channel = _settled(archive, descriptor, layout, disk)
            if channel is not None:
                yield channel
                return
        finally:
            disk.close(descriptor)
    raise ReaderStarved(archive)


def _settled(archive: Path, descriptor: int, layout: TargetLayout, disk: Disk) -> ChannelBytes | None:
    """Return the bytes between two appends, or ``None`` when the file was changing just now."""
    before = disk.facts(descriptor)
    raw = ChannelBytes(archive, descriptor, before.size_bytes, disk=disk)
    channel_id = read_head(raw).channel_id
    journal = read_journal(disk, layout.journal(channel_id))
    if journal is not None and _concerns(journal, archive, before.inode, layout):
        size_bytes = journal.cut + len(journal.old_tail)
        return ChannelBytes(archive, descriptor, size_bytes, tail=journal.old_tail, disk=disk)
    try:
        tail = read_tail(raw).old
    except NotCanonical:
        tail = b""  # nothing of ours changes such a file in place
    if disk.facts(descriptor) != before or read_journal(disk, layout.journal(channel_id)) != journal:
        return None
    return ChannelBytes(archive, descriptor, before.size_bytes, tail=tail, disk=disk)


def _concerns(journal: AppendJournal, archive: Path, inode: int, layout: TargetLayout) -> bool:
    return journal.inode == inode and journal.archive_path(layout).resolve() == archive.resolve()
