"""The first export of a channel becomes its channel file, byte for byte."""

import errno
import os
import uuid
from pathlib import Path

from dce_play.discord.archive.append.delta import ForeignChannel
from dce_play.discord.archive.append.job import AppendOptions, AppendOutcome
from dce_play.discord.archive.records.cursor import Cursor, remember
from dce_play.discord.archive.records.publish import check_space, replacing
from dce_play.discord.archive.records.records import AppendLine, add_append_line
from dce_play.discord.archive.records.write_errors import disk_errors
from dce_play.discord.archive.scan.channel_bytes import open_bytes
from dce_play.discord.archive.scan.damage import DamagedFile
from dce_play.discord.archive.scan.head import Head
from dce_play.discord.archive.scan.spans import Spans, read_head, read_spans
from dce_play.discord.archive.scan.tail import read_tail
from dce_play.errors import DcePlayError
from dce_play.layout import TargetLayout
from dce_play.snowflake import MessageId
from dce_play.system.clock import Clock, utc_stamp
from dce_play.system.durable.disk import REAL, Disk
from dce_play.system.durable.names import NO_LINK, link_new, remove


class ChannelFileExists(DcePlayError):
    """A channel file stands where a new one was to be made."""

    def __init__(self, archive: Path) -> None:
        super().__init__(f"{archive} is there already", hint="append to it instead")
        self.archive = archive


def publish_first(
    export: Path,
    archive: Path,
    options: AppendOptions,
    *,
    layout: TargetLayout,
    clock: Clock,
    disk: Disk = REAL,
) -> AppendOutcome:
    """Make the export the channel's file. When this returns, it is durable under its name, and the export is gone.

    The name is taken at one stroke and never taken over: after a crash the channel file is whole or not there.

    Raises: ChannelFileExists, ForeignChannel, DamagedFile, NotCanonical, NotEnoughSpace, WriteFailed.
    """
    archive = archive.parent.resolve() / archive.name
    with open_bytes(export, disk=disk) as channel:
        head, tail = read_head(channel), read_tail(channel)
        spans = read_spans(channel, head.start, tail.cut)
        size_bytes = channel.size_bytes
    if options.channel_id not in {None, head.channel_id}:
        raise ForeignChannel(export, found=head.channel_id, expected=options.channel_id)
    if not spans.ordered():
        raise DamagedFile(export, offset=head.start, reason="its messages are not in the order of their ids")
    with disk_errors(archive):
        try:
            _take_name(export, archive, size_bytes, disk=disk)
        except FileExistsError as error:
            raise ChannelFileExists(archive) from error
    last_id = MessageId(str(spans.ids[-1])) if len(spans) else None
    cursor = Cursor(
        channel_id=head.channel_id,
        last_id=last_id,
        message_count=len(spans),
        size_bytes=size_bytes,
        ordered=True,
        recorded=False,
    )
    line = _line(head, spans, options, cut=tail.cut, time=utc_stamp(clock.now()))
    with disk_errors(archive):
        add_append_line(layout, line, disk=disk)
        remove(export, disk=disk)
    remember(archive, cursor, layout=layout, disk=disk)
    return AppendOutcome(
        before_count=0,
        after_count=len(spans),
        appended=len(spans),
        edited=0,
        placed=0,
        holes_filled=0,
        behind=0,
        first_id=line.first_id,
        last_id=last_id,
        unchanged=False,
    )


def _take_name(export: Path, archive: Path, size_bytes: int, *, disk: Disk) -> None:
    disk.make_folder(archive.parent)
    try:
        link_new(export, archive, disk=disk)
    except OSError as error:
        if error.errno not in NO_LINK:
            raise
        if disk.facts_of(archive) is not None:
            raise FileExistsError(errno.EEXIST, os.strerror(errno.EEXIST), archive) from error
        check_space(archive.parent, size_bytes, disk=disk)
        source = disk.open(export, os.O_RDONLY)
        try:
            with replacing(archive, like=None, disk=disk) as new:
                disk.copy(source, new.descriptor, size_bytes)
        finally:
            disk.close(source)


def _line(head: Head, spans: Spans, options: AppendOptions, *, cut: int, time: str) -> AppendLine:
    return AppendLine(
        kind="created",
        append_id=uuid.uuid4().hex,
        time=time,
        run_id=options.run_id,
        channel_id=head.channel_id,
        first_id=MessageId(str(spans.ids[0])) if len(spans) else None,
        last_id=MessageId(str(spans.ids[-1])) if len(spans) else None,
        count=len(spans),
        message_count=len(spans),
        cut_before=head.start,
        cut_after=cut,
        exporter=options.exporter,
        exporter_version=options.exporter_version,
        exported_at=head.exported_at,
    )
