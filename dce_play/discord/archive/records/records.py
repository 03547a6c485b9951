"""What we wrote down about channel files: one record a channel for the O(1) cursor, one line for every append.

A record may be lost or out of date at any time: it counts only while size, times and inode still fit the file. The
lines of ``appends.jsonl`` are durable; each append has exactly one.
"""

import errno
import hashlib
import json
import os
from collections.abc import Iterable, Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from dce_play.layout import TargetLayout
from dce_play.snowflake import ChannelId, MessageId
from dce_play.system.durable.disk import REAL, Disk, FileFacts, read_whole, write_whole

FORMAT = 1
_LOOK_BACK_BYTES = 64 << 10


@dataclass(frozen=True, slots=True, kw_only=True)
class ChannelRecord:
    """What a channel file was when we last had it in hand."""

    channel_id: ChannelId
    inode: int
    size_bytes: int
    mtime_ns: int
    ctime_ns: int
    last_id: MessageId | None
    """The greatest id; ``None`` for a file without messages."""
    message_count: int
    ordered: bool
    """Whether the ids strictly increase from the first message to the last."""

    def fits(self, facts: FileFacts) -> bool:
        """Return whether the file is still the one that was recorded."""
        recorded = (self.inode, self.size_bytes, self.mtime_ns, self.ctime_ns)
        return recorded == (facts.inode, facts.size_bytes, facts.mtime_ns, facts.ctime_ns)


@dataclass(frozen=True, slots=True, kw_only=True)
class AppendLine:
    """One line of ``appends.jsonl``: messages that came into a channel file at one time."""

    kind: str
    """``created``, ``appended`` or ``rewritten`` (holes filled, edits taken, layout normalised)."""
    append_id: str
    time: str
    run_id: str
    channel_id: ChannelId
    first_id: MessageId | None
    last_id: MessageId | None
    count: int
    message_count: int
    """Messages in the file afterwards."""
    cut_before: int
    cut_after: int
    exporter: str
    exporter_version: str
    exported_at: str | None
    """When the newest export among those that went in was made, as it says itself."""


def read_record(layout: TargetLayout, channel_id: ChannelId, *, disk: Disk = REAL) -> ChannelRecord | None:
    """Return the channel's record, or ``None`` when there is none that can be read."""
    data = read_whole(disk, layout.record(channel_id))
    if data is None:
        return None
    line, _, digest = data.partition(b"\n")
    if digest.strip() != hashlib.sha256(line).hexdigest().encode("ascii"):
        return None
    facts = json.loads(line)
    return ChannelRecord(**facts) if facts.pop("version") == FORMAT else None


def write_record(layout: TargetLayout, record: ChannelRecord, *, disk: Disk = REAL) -> None:
    """Replace the channel's record. Not durable: after a power loss the file is read once to make it again."""
    path = layout.record(record.channel_id)
    disk.make_folder(path.parent)
    line = json.dumps({"version": FORMAT} | asdict(record)).encode("ascii")
    data = line + b"\n" + hashlib.sha256(line).hexdigest().encode("ascii") + b"\n"
    write_whole(disk, path, data, durable=False)


def add_append_line(layout: TargetLayout, line: AppendLine, *, disk: Disk) -> None:
    """Make the append's line durable. It is not written again where it stands in the last 64 KiB already."""
    known = line.append_id.encode("ascii") in _end_of(disk, layout.appends)
    add_raw_lines(disk, layout.appends, [] if known else [json.dumps(asdict(line)).encode("ascii")])


def read_appends(layout: TargetLayout, channel_id: ChannelId | None = None) -> Iterator[AppendLine]:
    """Yield the appends of one channel or of all, oldest first, each once; what a power loss tore is passed over."""
    seen = set()
    for facts in read_lines(layout.appends):
        if channel_id in {None, facts.get("channel_id")} and facts["append_id"] not in seen:
            seen.add(facts["append_id"])
            yield AppendLine(**facts)


def add_raw_lines(disk: Disk, path: Path, lines: Iterable[bytes]) -> None:
    """Make lines of JSON durable at the end of a file.

    A torn last line is left alone and closed with a line break, as nobody was told that it was written. The file is
    opened for appending: two runs that share a target's folder do not write over each other's lines. Without lines,
    what stands there becomes durable.
    """
    disk.make_folder(path.parent)
    descriptor = disk.open(path, os.O_RDWR | os.O_APPEND | os.O_CREAT)
    try:
        size_bytes = disk.facts(descriptor).size_bytes
        data = b"".join(line + b"\n" for line in lines)
        if data and disk.read_at(descriptor, 1, max(size_bytes - 1, 0)) not in {b"", b"\n"}:
            data = b"\n" + data
        if data:
            disk.write_at(descriptor, data, size_bytes)
        disk.sync(descriptor)
        if data not in disk.read_at(descriptor, disk.facts(descriptor).size_bytes - size_bytes, size_bytes):
            raise OSError(errno.EIO, "what was written is not what can be read back", path)
    finally:
        disk.close(descriptor)
    disk.sync_folder(path.parent)


def read_lines(path: Path) -> Iterator[dict[str, Any]]:
    """Yield the JSON objects of a file of lines; none where there is no file; what is not JSON is passed over."""
    try:
        with path.open("rb") as lines:
            for line in lines:
                try:
                    value = json.loads(line)
                except ValueError:
                    continue
                if isinstance(value, dict):
                    yield value
    except FileNotFoundError:
        return


def _end_of(disk: Disk, path: Path) -> bytes:
    """Return the whole lines in the last 64 KiB."""
    try:
        descriptor = disk.open(path, os.O_RDONLY)
    except FileNotFoundError:
        return b""
    try:
        start = max(disk.facts(descriptor).size_bytes - _LOOK_BACK_BYTES, 0)
        end = disk.read_at(descriptor, _LOOK_BACK_BYTES, start)
    finally:
        disk.close(descriptor)
    return end[: end.rfind(b"\n") + 1]
