"""What changes in a guild between two scrapes, each told once; what stays so is kept for ``status``.

Kept in ``.dce-meta/guild.json``: the channels that were listed last, by id, with their names, and which of them cannot
be read or are gone. Threads are not among them: they come and go by themselves.
"""

from collections.abc import Collection, Iterator, Mapping, Sequence
from enum import StrEnum

import msgspec

from dce_play.discord.exporters.protocol import ChannelListing, SkipReason
from dce_play.discord.scrape.outcome import EXPORTED, ChannelAction, ChannelOutcome
from dce_play.layout import TargetLayout
from dce_play.snowflake import ChannelId
from dce_play.system.durable.whole_files import write_atomic

_UNREADABLE = frozenset({SkipReason.FORBIDDEN, SkipReason.NO_HISTORY})


class ChangeKind(StrEnum):
    """What became of a channel."""

    NEW = "new"
    RENAMED = "renamed"
    FORBIDDEN = "forbidden"
    READABLE = "readable"
    """It could not be read, and can be again."""
    VANISHED = "vanished"
    RETURNED = "returned"


class GuildChange(msgspec.Struct, frozen=True, kw_only=True):
    """One change."""

    kind: ChangeKind
    channel_id: ChannelId
    name: str
    was: str = ""
    """The name before, of a channel that was renamed or moved to another category."""

    def __str__(self) -> str:
        name = f"{self.name or 'channel'} ({self.channel_id})"
        match self.kind:
            case ChangeKind.NEW:
                return f"new channel {name}"
            case ChangeKind.RENAMED:
                return f"channel {self.was} is called {name} now"
            case ChangeKind.FORBIDDEN:
                return f"channel {name} cannot be read by this token"
            case ChangeKind.READABLE:
                return f"channel {name} can be read again"
            case ChangeKind.VANISHED:
                return f"channel {name} is gone; its archive stays"
            case ChangeKind.RETURNED:
                return f"channel {name} is there again"


class KnownChannel(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One channel as it was seen last."""

    name: str
    guild: str = ""
    forbidden: bool = False
    vanished: bool = False


class Listed(msgspec.Struct, frozen=True, kw_only=True):
    """What a guild's listing had, threads and all, and which of it the target wants."""

    channels: tuple[ChannelListing, ...]
    wanted: frozenset[ChannelId]


Known = Mapping[ChannelId, KnownChannel]


def read_guild(layout: TargetLayout) -> dict[ChannelId, KnownChannel] | None:
    """Return the channels as they were seen last; ``None`` where nobody has looked yet, or the file is damaged."""
    try:
        return msgspec.json.decode(layout.guild.read_bytes(), type=dict[ChannelId, KnownChannel])
    except (OSError, msgspec.MsgspecError):
        return None


def changes(
    before: Known | None, listed: Listed | None, outcomes: Sequence[ChannelOutcome]
) -> tuple[dict[ChannelId, KnownChannel], tuple[GuildChange, ...]]:
    """Return the channels as they are known now, and what is to be told.

    Without a listing only those that could not be read, or can be again, are known. The first listing has no news but
    those. What the target does not want is forgotten.
    """
    known = dict(before or {})
    found: list[GuildChange] = []
    if listed is not None:
        found += _by_listing(known, listed, first=before is None)
    threads = {each.channel_id for each in listed.channels if each.parent_id is not None} if listed is not None else ()
    found += _by_outcomes(known, outcomes, threads)
    return known, tuple(found)


def remember_guild(layout: TargetLayout, known: Known) -> None:
    """Keep what is known now, for the next scrape and for ``status``."""
    data = msgspec.json.format(msgspec.json.encode(dict(sorted(known.items()))), indent=2) + b"\n"
    if known and (not layout.guild.exists() or layout.guild.read_bytes() != data):
        layout.meta.mkdir(parents=True, exist_ok=True)
        write_atomic(layout.guild, data)


def _by_listing(known: dict[ChannelId, KnownChannel], listed: Listed, *, first: bool) -> Iterator[GuildChange]:
    top = {each.channel_id: each for each in listed.channels if each.parent_id is None}
    guilds = {each.guild_id for each in listed.channels}
    for channel_id in known.keys() & top.keys() - listed.wanted:
        del known[channel_id]
    for channel_id, channel in top.items():
        if channel_id not in listed.wanted:
            continue
        before = known.get(channel_id)
        if before is None:
            known[channel_id] = KnownChannel(name=channel.name, guild=channel.guild_id)
            if not first:
                yield GuildChange(kind=ChangeKind.NEW, channel_id=channel_id, name=channel.name)
            continue
        known[channel_id] = msgspec.structs.replace(before, name=channel.name, guild=channel.guild_id, vanished=False)
        if before.vanished:
            yield GuildChange(kind=ChangeKind.RETURNED, channel_id=channel_id, name=channel.name)
        if before.name and before.name != channel.name:
            yield GuildChange(kind=ChangeKind.RENAMED, channel_id=channel_id, name=channel.name, was=before.name)
    for channel_id, before in list(known.items()):
        if before.guild in guilds and channel_id not in top and not before.vanished:
            known[channel_id] = msgspec.structs.replace(before, vanished=True, forbidden=False)
            yield GuildChange(kind=ChangeKind.VANISHED, channel_id=channel_id, name=before.name)


def _by_outcomes(
    known: dict[ChannelId, KnownChannel], outcomes: Sequence[ChannelOutcome], threads: Collection[ChannelId]
) -> Iterator[GuildChange]:
    for outcome in outcomes:
        if outcome.channel_id in threads:
            continue
        before = known.get(outcome.channel_id) or KnownChannel(name=_name_of(outcome))
        kind = _kind(before, outcome)
        if kind is None:
            continue
        known[outcome.channel_id] = msgspec.structs.replace(
            before, forbidden=kind is ChangeKind.FORBIDDEN, vanished=kind is ChangeKind.VANISHED
        )
        yield GuildChange(kind=kind, channel_id=outcome.channel_id, name=before.name)


def _kind(before: KnownChannel, outcome: ChannelOutcome) -> ChangeKind | None:
    skipped = outcome.reason if outcome.action is ChannelAction.SKIPPED else ""
    if skipped in _UNREADABLE:
        return None if before.forbidden or before.vanished else ChangeKind.FORBIDDEN
    if skipped == SkipReason.NOT_FOUND:
        return None if before.vanished else ChangeKind.VANISHED
    if outcome.action in EXPORTED and before.forbidden:
        return ChangeKind.READABLE
    if outcome.action in EXPORTED and before.vanished:
        return ChangeKind.RETURNED
    return None


def _name_of(outcome: ChannelOutcome) -> str:
    """Return the name in the file's own name, ``Guild - channel [id].json``; empty without a file."""
    return outcome.file_path.stem.rpartition(" [")[0] if outcome.file_path is not None else ""
