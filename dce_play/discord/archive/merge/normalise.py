"""Normalising: a channel file whose layout cannot be appended to, written anew in one that can.

The messages stay the bytes they are; what stands around them is laid out as the exporter does it, and repeated ids go.
The original is kept until somebody confirms, and both files are digested over ids and contents.
"""

import hashlib
import json
import secrets
import uuid
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from dce_play.discord.archive.append.delta import Delta, by_id
from dce_play.discord.archive.append.rewrite import Rewrite, WouldLose, union, write_rewrite
from dce_play.discord.archive.records.edits import add_edits
from dce_play.discord.archive.records.records import AppendLine, add_append_line, read_appends
from dce_play.discord.archive.records.recover import FILE_LOCK_WAIT_S, recover_held
from dce_play.discord.archive.records.write_errors import disk_errors
from dce_play.discord.archive.scan.channel_bytes import ChannelBytes, open_bytes
from dce_play.discord.archive.scan.dates import moment_of
from dce_play.discord.archive.scan.frame import Frame
from dce_play.discord.archive.scan.head import head_from
from dce_play.discord.archive.scan.scanner import Scanner
from dce_play.discord.archive.scan.spans import read_head, spans_of
from dce_play.layout import TargetLayout
from dce_play.snowflake import ChannelId
from dce_play.system.clock import Clock, file_stamp, utc_stamp
from dce_play.system.durable.disk import REAL, Disk
from dce_play.system.lock.file_lock import flock_file


@dataclass(frozen=True, slots=True, kw_only=True)
class Normalised:
    """A channel file written anew."""

    archive: Path
    original: Path
    """Where the file as it was is kept."""
    before_count: int
    after_count: int
    repeated: int
    """Messages left out because an earlier one has the same id; those that differ are in the edits sidecar."""
    digest: str
    """sha256 over the messages kept, in order of ids: the same of the original and of the new file."""


def normalise(
    archive: Path,
    *,
    layout: TargetLayout,
    run_id: str,
    clock: Clock,
    refresh_head: bool = False,
    disk: Disk = REAL,
) -> Normalised:
    """Write the channel file anew so that it can be appended to, and keep the original beside the meta files.

    ``refresh_head`` gives the head the time of the newest export that went in.

    Raises: DamagedFile, NotEnoughSpace, WriteFailed, WouldLose; the channel file is as it was.
    """
    archive = archive.resolve()
    now = clock.now()
    with disk_errors(archive), flock_file(archive, wait_s=FILE_LOCK_WAIT_S, clock=clock):
        with open_bytes(archive, disk=disk) as channel:
            channel_id = read_head(channel).channel_id
        recover_held(layout, channel_id, disk=disk)
        with open_bytes(archive, disk=disk) as channel:
            stored, frame = _read(channel)
            exported_at = _newest_export(layout, channel_id) if refresh_head else None
            rewrite = _laid_out(stored, frame, exported_at=exported_at)
            add_edits(layout, channel_id, rewrite.superseded, run_id=run_id, time=utc_stamp(now), disk=disk)
            original = _keep_original(archive, layout, channel_id, file_stamp(now), disk=disk)
            digest = _contents(_kept(stored))

            def prove(written: ChannelBytes) -> None:
                if _contents(_kept(_read(written)[0])) != digest:
                    raise WouldLose(archive, "the contents of its messages are not what they were")

            write_rewrite(archive, rewrite, disk=disk, prove=prove)
            add_append_line(layout, _line(channel_id, rewrite, run_id=run_id, time=utc_stamp(now)), disk=disk)
    return Normalised(
        archive=archive,
        original=original,
        before_count=len(stored.spans),
        after_count=rewrite.message_count,
        repeated=len(stored.spans) - rewrite.message_count,
        digest=digest,
    )


def kept_originals(layout: TargetLayout, channel_id: ChannelId, *, disk: Disk = REAL) -> list[Path]:
    """Return the originals kept for a channel, oldest first."""
    folder = _originals(layout)
    return [folder / name for name in disk.names(folder) if name.startswith(f"{channel_id}.")]


def confirm(layout: TargetLayout, channel_id: ChannelId, *, disk: Disk = REAL) -> list[Path]:
    """Remove the originals kept for a channel and return what they were: the operator is content with the new file."""
    originals = kept_originals(layout, channel_id, disk=disk)
    for original in originals:
        disk.unlink(original)
    if originals:
        disk.sync_folder(_originals(layout))
    return originals


def _read(channel: ChannelBytes) -> tuple[Delta, Frame]:
    source = channel
    scanner = Scanner(source)
    spans = spans_of(scanner.blocks())
    head = head_from(source, scanner.preamble, scanner.frame.values)
    return Delta(channel=channel, head=head, spans=spans), scanner.frame


def _laid_out(stored: Delta, frame: Frame, *, exported_at: str | None) -> Rewrite:
    """Return the file in the exporter's layout; the members around the messages keep their order and their bytes."""
    newline = stored.head.newline or b"\n"
    members = dict(_members(frame))
    members.pop("messageCount", None)
    if exported_at is not None:
        members["exportedAt"] = json.dumps(exported_at).encode("ascii")
    lines = [b"  %b: %b," % (json.dumps(key, ensure_ascii=False).encode(), value) for key, value in members.items()]
    opening = newline.join([b"{", *lines, b'  "messages": ['])

    def closing(message_count: int) -> bytes:
        count = b',%b  "messageCount": %d' % (newline, message_count) if frame.states_count else b""
        return (newline + b"  ]" if message_count else b"]") + count + newline + b"}"

    return union((stored,), taken=(), opening=opening, closing=closing)


def _kept(stored: Delta) -> Iterator[tuple[int, bytes]]:
    """Yield id and bytes of each message, ids ascending; the first of those that share an id."""
    for copies in by_id((stored,)):
        yield copies[0].id, stored.message(copies[0].place)


def _contents(messages: Iterator[tuple[int, bytes]]) -> str:
    digest = hashlib.sha256()
    for identifier, message in messages:
        digest.update(b"%d %d\n" % (identifier, len(message)))
        digest.update(message)
    return digest.hexdigest()


def _members(frame: Frame) -> Iterator[tuple[str, bytes]]:
    for data, members in ((frame.preamble.data, frame.preamble.members), (frame.trailer, frame.members)):
        for member in members:
            yield member.key, data[member.start : member.end]


def _newest_export(layout: TargetLayout, channel_id: ChannelId) -> str | None:
    times = [line.exported_at for line in read_appends(layout, channel_id) if line.exported_at is not None]
    return max(times, key=moment_of, default=None)


def _originals(layout: TargetLayout) -> Path:
    return layout.meta / "originals"


def _keep_original(archive: Path, layout: TargetLayout, channel_id: ChannelId, stamp: str, *, disk: Disk) -> Path:
    """Give the file a second name, of its own also when it was normalised a moment ago."""
    original = _originals(layout) / f"{channel_id}.{stamp}.{secrets.token_hex(3)}.original"
    disk.make_folder(original.parent)
    disk.link(archive, original)
    disk.sync_folder(original.parent)
    return original


def _line(channel_id: ChannelId, rewrite: Rewrite, *, run_id: str, time: str) -> AppendLine:
    size_bytes, _ = rewrite.payload.measure()
    return AppendLine(
        kind="rewritten",
        append_id=uuid.uuid4().hex,
        time=time,
        run_id=run_id,
        channel_id=channel_id,
        first_id=None,
        last_id=None,
        count=0,
        message_count=rewrite.message_count,
        cut_before=0,
        cut_after=size_bytes - len(rewrite.payload.closing),
        exporter="",
        exporter_version="",
        exported_at=None,
    )
