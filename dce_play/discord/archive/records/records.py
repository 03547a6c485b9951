"""What we wrote down about channel files: one record a channel for the O(1) cursor, one line for every append.

A record may be lost or out of date at any time: it counts only while size, times and inode still fit the file. The
lines of ``appends.jsonl`` are durable; each append has exactly one.
"""

import json
from collections.abc import Iterator
from dataclasses import asdict, dataclass

from dce_play.layout import TargetLayout
from dce_play.snowflake import ChannelId, MessageId
from dce_play.system.durable.disk import REAL, Disk, FileFacts
from dce_play.system.durable.json_lines import add_lines, read_lines
from dce_play.system.durable.sealed import SealBroken, seal, unseal
from dce_play.system.durable.whole_files import read_whole, write_atomic

FORMAT = 1


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
    data = read_whole(layout.record(channel_id), disk=disk)
    if data is None:
        return None
    try:
        return ChannelRecord(**unseal(data, version=FORMAT))
    except SealBroken:
        return None


def write_record(layout: TargetLayout, record: ChannelRecord, *, disk: Disk = REAL) -> None:
    """Replace the channel's record. Not durable: after a power loss the file is read once to make it again."""
    path = layout.record(record.channel_id)
    disk.make_folder(path.parent)
    data = seal(asdict(record), version=FORMAT)
    write_atomic(path, data, temporary=path.with_name(f"{path.name}.tmp"), durable=False, disk=disk)


def add_append_line(layout: TargetLayout, line: AppendLine, *, disk: Disk) -> None:
    """Make the append's line durable. It is not written again where it stands in the last 64 KiB already."""
    text = json.dumps(asdict(line)).encode("ascii")
    add_lines(layout.appends, [text], unless=line.append_id.encode("ascii"), disk=disk)


def read_appends(layout: TargetLayout, channel_id: ChannelId | None = None) -> Iterator[AppendLine]:
    """Yield the appends of one channel or of all, oldest first, each once; what a power loss tore is passed over."""
    seen = set()
    for facts in read_lines(layout.appends):
        if channel_id in {None, facts.get("channel_id")} and facts["append_id"] not in seen:
            seen.add(facts["append_id"])
            yield AppendLine(**facts)
