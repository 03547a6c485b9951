"""What a channel file says of itself: which channel it is, and how it is laid out.

    head = read_head(path)
    head.channel_id, head.guild_name, head.is_dce_layout

Any legal JSON is read: other indentation, CRLF, a byte order mark, keys in another order or missing, unknown keys.
Where ``messages`` stands before ``channel`` the whole file is read to find the channel.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from dce_play.discord.archive.scan.channel_bytes import ChannelBytes, open_bytes
from dce_play.discord.archive.scan.damage import Damage, DamagedFile
from dce_play.discord.archive.scan.frame import Preamble, opening_at, read_preamble, values_before
from dce_play.discord.archive.scan.scanner import Scanner
from dce_play.snowflake import ChannelId, GuildId, is_number

_DCE_HEADER = re.compile(rb'\{\r?\n  "guild": \{.*\r?\n  "messages": \[', re.DOTALL)


@dataclass(frozen=True, slots=True, kw_only=True)
class Head:
    """What a channel file says of itself."""

    channel_id: ChannelId
    channel_name: str
    channel_type: str
    category_id: str | None
    category: str | None
    guild_id: GuildId | None
    guild_name: str
    after: str | None
    before: str | None
    exported_at: str | None
    """When the file's first export was made; ``None`` for exporters before 2.38."""
    start: int
    """Offset just past the ``[`` of the message array."""
    states_count: bool
    """Whether ``messageCount`` stands before the messages, where an append cannot change it."""
    opening: bytes
    """The white space before the first message; empty in a minified file and in one without messages."""
    newline: bytes
    """``\\n`` or ``\\r\\n``; empty in a file without line breaks."""
    is_dce_layout: bool
    """Whether the header is laid out as the exporter does it."""


def read_head(path: Path) -> Head:
    """Return what a file says of itself.

    Raises: DamagedFile, OSError.
    """
    with open_bytes(path) as source:
        return head_of(source)


def head_of(source: ChannelBytes) -> Head:
    """Return what an open file says of itself.

    Raises: DamagedFile.
    """
    return head_after(source, read_preamble(source))


def head_after(source: ChannelBytes, preamble: Preamble) -> Head:
    """Return what an open file says of itself whose header has been read.

    Raises: DamagedFile.
    """
    values = values_before(preamble)
    if "channel" not in values:
        values = Scanner(source, preamble, lenient=True).read_all().values
    return head_from(source, preamble, values)


def head_from(source: ChannelBytes, preamble: Preamble, values: Mapping[str, Any]) -> Head:
    """Return the head that these values make.

    Raises: DamagedFile, when they name no channel.
    """
    channel, guild, dates = (_object(values.get(key)) for key in ("channel", "guild", "dateRange"))
    channel_id, guild_id = channel.get("id"), guild.get("id")
    if not (isinstance(channel_id, str) and is_number(channel_id)):
        raise DamagedFile(source.path, offset=0, reason="it names no channel by its id", damage=Damage.NOT_AN_EXPORT)
    opening = opening_at(source, preamble.start)
    newline = b"\r\n" if b"\r\n" in preamble.data else b"\n" if b"\n" in preamble.data else b""
    return Head(
        channel_id=ChannelId(channel_id),
        channel_name=_text(channel.get("name")) or "",
        channel_type=_text(channel.get("type")) or "",
        category_id=_text(channel.get("categoryId")),
        category=_text(channel.get("category")),
        guild_id=GuildId(guild_id) if isinstance(guild_id, str) else None,
        guild_name=_text(guild.get("name")) or "",
        after=_text(dates.get("after")),
        before=_text(dates.get("before")),
        exported_at=_text(values.get("exportedAt")),
        start=preamble.start,
        states_count=any(member.key == "messageCount" for member in preamble.members),
        opening=opening,
        newline=newline,
        is_dce_layout=_DCE_HEADER.fullmatch(preamble.data) is not None and opening in {b"", newline + b"    "},
    )


def _object(value: object) -> Mapping[str, Any]:
    return value if isinstance(value, dict) else {}


def _text(value: object) -> str | None:
    return value if isinstance(value, str) else None
