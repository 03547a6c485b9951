"""Where the messages of a channel file stand: ids and byte ranges, in file order."""

import json
import re
from array import array
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from dce_play.archive.channel_bytes import ChannelBytes
from dce_play.archive.damage import DamagedFile
from dce_play.snowflake import ChannelId, GuildId, is_number

_ARRAY_START = re.compile(rb'"messages"\s*:\s*\[', re.ASCII)
_MAX_HEAD_BYTES = 1 << 20
_MESSAGE_END = b"\n    }"


@dataclass(frozen=True, slots=True, kw_only=True)
class Head:
    """What stands before the messages."""

    channel_id: ChannelId
    guild_id: GuildId | None
    start: int
    """Offset just past the ``[`` of the message array."""
    exported_at: str | None
    """When the file's first export was made; ``None`` for exporters before 2.38."""
    states_count: bool
    """Whether ``messageCount`` stands here, where an append cannot change it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Spans:
    """The messages of a file, in file order: ids as numbers, and where each starts and ends."""

    ids: "array[int]" = field(default_factory=lambda: array("Q"))
    starts: "array[int]" = field(default_factory=lambda: array("Q"))
    ends: "array[int]" = field(default_factory=lambda: array("Q"))

    def __len__(self) -> int:
        return len(self.ids)

    def ordered(self) -> bool:
        """Return whether the ids strictly increase."""
        ids = self.ids
        return all(ids[index - 1] < ids[index] for index in range(1, len(ids)))


def read_head(channel: ChannelBytes) -> Head:
    """Return what stands before the messages.

    Raises: DamagedFile.
    """
    size_bytes = 4096
    while True:
        data = channel.read_at(size_bytes, 0)
        found = _ARRAY_START.search(data)
        if found is not None:
            return _head(channel.path, data, found)
        if len(data) < size_bytes or size_bytes >= _MAX_HEAD_BYTES:
            raise DamagedFile(channel.path, offset=0, reason="no message array at its start")
        size_bytes *= 16


def read_spans(channel: ChannelBytes, start: int, end: int) -> Spans:
    """Return the messages between two offsets: just past the ``[``, or a message's end, and the cut.

    Raises: DamagedFile.
    """
    spans = Spans()
    for identifier, first, last in iterate_messages(channel, start, end):
        spans.ids.append(identifier)
        spans.starts.append(first)
        spans.ends.append(last)
    return spans


def _head(path: Path, data: bytes, found: re.Match[bytes]) -> Head:
    text = data[: found.end()].removeprefix(b"\xef\xbb\xbf") + b"]}"
    try:
        value = json.loads(text)
        channel_id = value["channel"]["id"]
    except (ValueError, KeyError, TypeError) as error:
        raise DamagedFile(path, offset=0, reason="what stands before the messages names no channel") from error
    guild_id = (value.get("guild") or {}).get("id")
    return Head(
        channel_id=ChannelId(channel_id),
        guild_id=None if guild_id is None else GuildId(guild_id),
        start=found.end(),
        exported_at=value.get("exportedAt"),
        states_count="messageCount" in value,
    )


def iterate_messages(channel: ChannelBytes, start: int, end: int) -> Iterator[tuple[int, int, int]]:
    """Yield id, start and end of each message between two offsets, in file order.

    Raises: DamagedFile.
    """
    buffer, base = b"", start
    for block in channel.blocks(start, end):
        buffer += block
        while (close := buffer.find(_MESSAGE_END)) >= 0:
            after = close + len(_MESSAGE_END)
            first = buffer.find(b"{", 0, after)
            yield _id_of(channel.path, buffer[first:after], base + first), base + first, base + after
            buffer, base = buffer[after:], base + after
    if buffer.strip(b" \t\r\n,]"):
        raise DamagedFile(channel.path, offset=base, reason="a message without an end")


def _id_of(path: Path, message: bytes, offset: int) -> int:
    try:
        identifier = json.loads(message)["id"]
    except (ValueError, KeyError, TypeError) as error:
        raise DamagedFile(path, offset=offset, reason="not a message") from error
    if not (isinstance(identifier, str) and is_number(identifier)):
        raise DamagedFile(path, offset=offset, reason="a message without an id")
    return int(identifier)
