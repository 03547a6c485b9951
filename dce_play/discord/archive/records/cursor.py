"""The cursor: where a channel file ends. One stat and two small reads when we recorded the file, else one scan."""

import contextlib
from dataclasses import dataclass
from pathlib import Path

from dce_play.discord.archive.records.reader_safe import open_consistent
from dce_play.discord.archive.records.records import ChannelRecord, read_record, write_record
from dce_play.discord.archive.scan.channel_bytes import ChannelBytes
from dce_play.discord.archive.scan.damage import DamagedFile
from dce_play.discord.archive.scan.head import Head
from dce_play.discord.archive.scan.spans import is_ordered, read_head, read_ids
from dce_play.discord.archive.scan.tail import Tail, read_tail
from dce_play.layout import TargetLayout
from dce_play.snowflake import ChannelId, MessageId
from dce_play.system.durable.disk import REAL, Disk


@dataclass(frozen=True, slots=True, kw_only=True)
class Cursor:
    """Where a channel file ends."""

    channel_id: ChannelId
    last_id: MessageId | None
    """The greatest id by value; ``None`` for a file without messages."""
    message_count: int
    size_bytes: int
    ordered: bool
    """Whether the ids strictly increase through the file."""
    recorded: bool
    """Whether our own record told it; ``False`` means that the whole file was read."""


def read_cursor(archive: Path, *, layout: TargetLayout, disk: Disk = REAL) -> Cursor:
    """Return where a channel file ends, as of before an append that has not finished. Writes nothing.

    Raises: DamagedFile, NotCanonical, FileNotFoundError.
    """
    with open_consistent(archive, layout=layout, disk=disk) as channel:
        return cursor_of(channel, read_head(channel), read_tail(channel), layout=layout, disk=disk)


def remember(archive: Path, cursor: Cursor, *, layout: TargetLayout, disk: Disk = REAL) -> None:
    """Record a file as it is now, so that its next cursor costs no scan. The caller holds the file's lock."""
    facts = disk.facts_of(archive)
    if facts is None or facts.size_bytes != cursor.size_bytes:
        return
    record = ChannelRecord(
        channel_id=cursor.channel_id,
        inode=facts.inode,
        size_bytes=facts.size_bytes,
        mtime_ns=facts.mtime_ns,
        ctime_ns=facts.ctime_ns,
        last_id=cursor.last_id,
        message_count=cursor.message_count,
        ordered=cursor.ordered,
    )
    with contextlib.suppress(OSError):  # without a record the next cursor costs one scan
        write_record(layout, record, disk=disk)


def cursor_of(channel: ChannelBytes, head: Head, tail: Tail, *, layout: TargetLayout, disk: Disk) -> Cursor:
    """Return where the bytes end: from the record when it fits the file and its tail, else by a scan."""
    record = read_record(layout, head.channel_id, disk=disk)
    if record is not None and record.fits(channel.facts()) and record.size_bytes == channel.size_bytes:
        return Cursor(
            channel_id=head.channel_id,
            last_id=record.last_id,
            message_count=record.message_count,
            size_bytes=record.size_bytes,
            ordered=record.ordered,
            recorded=True,
        )
    ids = read_ids(channel, head.start, tail.cut)
    if tail.last_id is not None and (not ids or ids[-1] != int(tail.last_id)):
        raise DamagedFile(channel.path, offset=tail.cut, reason="its last message is not where its messages end")
    return Cursor(
        channel_id=head.channel_id,
        last_id=MessageId(str(max(ids))) if ids else None,
        message_count=len(ids),
        size_bytes=channel.size_bytes,
        ordered=is_ordered(ids),
        recorded=False,
    )
