"""Reads what DiscordChatExporter.Cli lists: guilds, channels with their threads, conversations.

A line is ``<id padded right> | <name>``, a thread's `` * <id> | Thread / <name> | Active``. Whatever does not look so
(the banner, notes, progress) is passed over. A name may itself contain `` | ``.
"""

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from dce_play.discord.exporters.protocol import ChannelListing, GuildListing
from dce_play.snowflake import ChannelId, GuildId

DIRECT_MESSAGES = GuildId("0")
"""The guild id that stands for conversations."""

_ANSI = re.compile(r"\x1b\[[0-9;?]*[A-Za-z]")
_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029]+")
_ROW = re.compile(r"^\s*(?P<thread>\*)?\s*(?P<id>[0-9]{16,22}|0)\s+\|\s(?P<name>.*)$", re.ASCII)
_THREAD = re.compile(r"^Thread / (?P<name>.*) \| (?:Active|Archived)$")


@dataclass(frozen=True, slots=True, kw_only=True)
class _Row:
    identifier: str
    name: str
    thread: bool


def parse_guilds(text: str) -> list[GuildListing]:
    """Return the guilds in the output of ``guilds``, without its line for direct messages."""
    return [
        GuildListing(guild_id=GuildId(row.identifier), name=row.name)
        for row in _rows(text.split("\n"))
        if not row.thread and row.identifier != DIRECT_MESSAGES
    ]


def parse_channels(text: str, guild_id: GuildId, /) -> list[ChannelListing]:
    """Return the channels in the output of ``channels``, each thread behind its channel."""
    found: list[ChannelListing] = []
    parent = ""
    parent_id: ChannelId | None = None
    for row in _rows(text.split("\n")):
        name = row.name
        if row.thread:
            name = f"{parent} / {name}" if parent else name
        else:
            parent, parent_id = name, ChannelId(row.identifier)
        found.append(
            ChannelListing(
                channel_id=ChannelId(row.identifier),
                guild_id=guild_id,
                name=name,
                kind=_kind(row, guild_id),
                parent_id=parent_id if row.thread else None,
            )
        )
    return found


def parse_direct_messages(text: str) -> list[ChannelListing]:
    """Return the conversations in the output of ``dm``."""
    return parse_channels(text, DIRECT_MESSAGES)


def _kind(row: _Row, guild_id: GuildId) -> str:
    """Return the kind as far as a listing tells it; DCE prints none."""
    if guild_id == DIRECT_MESSAGES:
        return "DirectTextChat"
    return "GuildPublicThread" if row.thread else "GuildTextChat"


def _rows(lines: Iterable[str]) -> Iterator[_Row]:
    for line in lines:
        match = _ROW.match(_ANSI.sub("", line).rstrip("\r"))
        if match is None:
            continue
        name = match["name"]
        inner = _THREAD.match(name) if match["thread"] else None
        name = inner["name"] if inner else name
        yield _Row(identifier=match["id"], name=_CONTROL.sub(" ", name).strip(), thread=match["thread"] is not None)
