"""Writing a payload at the cut: in place under an append journal, or to a clone that takes the file's place."""

import errno
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from dce_play.discord.archive.append.payload import Payload
from dce_play.discord.archive.records.journal import TEMPORARY_SUFFIX, AppendJournal, arm, disarm, payload_digest
from dce_play.discord.archive.records.publish import replacing
from dce_play.discord.archive.records.records import add_append_line
from dce_play.discord.archive.records.recover import line_of, roll_back, sync_or_mark
from dce_play.discord.archive.records.write_errors import CannotClone
from dce_play.discord.archive.scan.channel_bytes import ChannelBytes
from dce_play.layout import TargetLayout
from dce_play.system.durable.disk import Disk

_NO_CLONE = frozenset({errno.EOPNOTSUPP, errno.ENOTTY, errno.EINVAL, errno.EXDEV, errno.ENOSYS, errno.EPERM})
"""No cloning here, or a clone could not have the file's owner."""


def append_in_place(
    layout: TargetLayout, channel: ChannelBytes, journal: AppendJournal, payload: Payload, *, disk: Disk
) -> None:
    """Write the payload at the cut; when this returns, it and its line in ``appends.jsonl`` are durable.

    Raises: OSError and WriteFailed, with the file as it was or with the journal left to undo or finish it.
    """
    path = layout.journal(journal.channel_id)
    archive = channel.path
    with _writable(channel, disk) as descriptor:
        _arm_or_leave(path, journal, disk=disk)
        try:
            write_payload(descriptor, journal, payload, disk=disk)
            sync_or_mark(path, archive, descriptor, disk=disk)
            check_arrival(archive, descriptor, journal, disk=disk)
        except OSError:
            roll_back(path, journal, archive, descriptor, disk=disk)
            raise
        # Before the journal goes: whoever finishes this append after a crash adds the line too, so none is lost.
        add_append_line(layout, line_of(journal), disk=disk)
        disarm(disk, path)


def append_to_clone(channel: ChannelBytes, journal: AppendJournal, payload: Payload, *, copy: bool, disk: Disk) -> None:
    """Write the payload to a clone of the file, or to a copy, and put that in the file's place.

    Raises: CannotClone, OSError; the file is as it was.
    """
    archive, source = channel.path, channel.descriptor
    facts = channel.facts()
    try:
        with replacing(archive, like=facts, disk=disk) as (path, descriptor):
            if copy:
                disk.copy(source, descriptor, facts.size_bytes)
            else:
                disk.clone(source, descriptor)
            write_payload(descriptor, journal, payload, disk=disk)
            check_arrival(path, descriptor, journal, disk=disk)
    except OSError as error:
        if not copy and error.errno in _NO_CLONE:
            raise CannotClone(archive) from error
        raise


@contextmanager
def _writable(channel: ChannelBytes, disk: Disk) -> Iterator[int]:
    """Give the channel's own descriptor, or tell that the file may not be written as opening it does."""
    if disk.may_write(channel.descriptor):
        yield channel.descriptor
        return
    descriptor = disk.open(channel.path, os.O_RDWR)
    try:
        yield descriptor
    finally:
        disk.close(descriptor)


def write_payload(descriptor: int, journal: AppendJournal, payload: Payload, *, disk: Disk) -> None:
    """Write the payload at the cut and end the file after it."""
    offset = journal.cut
    for block in payload.gathered():
        disk.write_at(descriptor, block, offset)
        offset += len(block)
    if journal.size_bytes > offset:
        disk.truncate(descriptor, offset)


def check_arrival(path: Path, descriptor: int, journal: AppendJournal, *, disk: Disk) -> None:
    """Read back what was written. A write that lied counts as one that failed.

    Raises: OSError.
    """
    size_bytes = disk.facts(descriptor).size_bytes
    channel = ChannelBytes(path, descriptor, size_bytes, disk=disk)
    if size_bytes != journal.new_size_bytes or payload_digest(channel, journal.cut, size_bytes) != (
        journal.payload_sha256
    ):
        raise OSError(errno.EIO, "what was written is not what can be read back")


def _arm_or_leave(path: Path, journal: AppendJournal, *, disk: Disk) -> None:
    """Arm the journal, or take away what there is of it: the file has not been touched."""
    try:
        arm(disk, path, journal)
    except OSError:
        disk.unlink(path.with_suffix(TEMPORARY_SUFFIX))
        disk.unlink(path)
        raise
