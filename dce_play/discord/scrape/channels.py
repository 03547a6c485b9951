"""Which channels of a target a scrape is about, and why those."""

from collections.abc import Callable, Collection
from dataclasses import dataclass, replace
from fnmatch import fnmatchcase
from typing import ClassVar

from dce_play.discord.exporters.protocol import ChannelListing, Exporter
from dce_play.discord.scrape.guild_changes import Listed
from dce_play.discord.targets.guilds import match_guilds
from dce_play.discord.targets.model import Discover, Target, TargetKind
from dce_play.errors import DcePlayError, ExitCode, UsageError
from dce_play.snowflake import ChannelId, GuildId
from dce_play.source import did_you_mean
from dce_play.system.counted import counted


class NoChannels(DcePlayError):
    """A target without a single channel."""

    exit_code: ClassVar[ExitCode] = ExitCode.NOTHING_SELECTED

    def __init__(self, target: str, why: str) -> None:
        super().__init__(
            f"Target {target!r} resolved no channels{f' ({why})' if why else ''}.",
            hint="give it channel_ids or guild_ids, or check that the token can see the guild",
        )


class EmptyGuild(DcePlayError):
    """A guild of which we have archives lists no channel at all, not even those."""

    def __init__(self, target: str, guild_id: GuildId) -> None:
        super().__init__(
            f"guild {guild_id} of target {target!r} shows no channel at all, though the target has channel files",
            hint="does somebody answer in Discord's place? a guild that is really empty leaves guild_ids",
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class ChosenChannel:
    """One channel to scrape."""

    channel_id: ChannelId
    name: str = ""
    exportable: bool = True
    """False for a forum: its threads are listed beside it, itself it has no messages."""

    @property
    def own_name(self) -> str:
        """The name without what it lies in; empty where it is not known."""
        return self.name.rpartition(" / ")[2]


@dataclass(frozen=True, slots=True, kw_only=True)
class Choice:
    """A target's channels, by id, and where they come from."""

    scope: str
    """``archive-seeded (3 channel file(s))``: the operators' words."""
    channels: tuple[ChosenChannel, ...]
    discovered: tuple[ChannelId, ...] = ()
    """Listed by the exporter and without a channel file yet."""
    left_out: tuple[ChosenChannel, ...] = ()
    """Listed without a channel file, too, and not part of this run, as it was narrowed."""
    listed: Listed | None = None
    """What the guilds listed; ``None`` where nobody asked."""


def choose_channels(
    target: Target,
    *,
    channel_files: Collection[ChannelId],
    unfinished: Collection[ChannelId] = (),
    only: tuple[ChannelId, ...] = (),
    guilds: tuple[GuildId, ...] = (),
    exporter: Exporter,
) -> Choice:
    """Return the target's channels, ordered by id; lists guilds only where ids and channel files do not answer.

    ``seeds`` are the channels that have a channel file, ``unfinished`` those that an earlier scrape listed and did
    not come to. ``only`` narrows to channels, ``guilds`` to guilds.
    Raises: NoChannels; EmptyGuild; UsageError for a channel or guild outside the target; ExportError from a listing.
    Source: docs/contract.md, R-3.01.
    """
    choice = _everything(
        target, channel_files=channel_files, unfinished=unfinished, guilds=guilds, listing=lambda: exporter
    )
    return _narrow(target, choice, only)


def known_channels(
    target: Target,
    *,
    channel_files: Collection[ChannelId],
    unfinished: Collection[ChannelId] = (),
    only: tuple[ChannelId, ...] = (),
) -> Choice | None:
    """Return what ``choose_channels`` would, or ``None`` where only the exporter could tell. Makes no request."""
    try:
        choice = _everything(target, channel_files=channel_files, unfinished=unfinished, guilds=(), listing=_refuse)
    except _ListingNeeded:
        return None
    return _narrow(target, choice, only)


class _ListingNeeded(Exception):
    pass


def _refuse() -> Exporter:
    raise _ListingNeeded


def _everything(
    target: Target,
    *,
    channel_files: Collection[ChannelId],
    unfinished: Collection[ChannelId],
    guilds: tuple[GuildId, ...],
    listing: Callable[[], Exporter],
) -> Choice:
    seeded = {channel_id: ChosenChannel(channel_id=channel_id) for channel_id in channel_files}
    if target.kind is TargetKind.DMS:
        talks = _chosen(target, listing().direct_messages())
        return _choice(f"DM target ({len(talks)} channel(s))", talks, channel_files)
    if target.channel_ids:
        named = {channel_id: ChosenChannel(channel_id=channel_id) for channel_id in target.channel_ids}
        return _choice(f"{len(named)} explicit channel id(s)", named, channel_files)
    discovers = target.discover is Discover.ALWAYS or (target.discover is Discover.WHEN_UNSEEDED and not channel_files)
    if not discovers:
        if guilds:
            raise UsageError(
                f"Archive-seeded target {target.name!r} does not support --guild overrides.",
                hint="narrow with --channel",
            )
        owed = {each: ChosenChannel(channel_id=each) for each in unfinished if each not in seeded}
        rest = f", {counted(len(owed), 'channel')} of an unfinished scrape" if owed else ""
        return _choice(
            f"archive-seeded ({len(channel_files)} channel file(s)){rest}", {**seeded, **owed}, channel_files
        )
    exporter = listing()
    chosen_guilds = _guilds(target, exporter, guilds)
    found: dict[ChannelId, ChosenChannel] = {}
    every: list[ChannelListing] = []
    for guild_id in chosen_guilds:
        listed = exporter.channels(guild_id, threads=target.include_threads, voice=target.include_voice_channels)
        if not listed and channel_files:
            raise EmptyGuild(target.name, guild_id)
        found |= _chosen(target, listed)
        every += listed
    scope = "; ".join(f"guild {guild_id}" for guild_id in chosen_guilds)
    choice = _choice(scope, {**seeded, **found}, channel_files)
    return replace(choice, listed=Listed(channels=tuple(every), wanted=frozenset(found)))


def _guilds(target: Target, exporter: Exporter, only: tuple[GuildId, ...]) -> tuple[GuildId, ...]:
    known = () if target.guild_ids else tuple((guild.guild_id, guild.name) for guild in exporter.guilds())
    guilds = match_guilds(target, known)
    for guild_id in only:
        if guild_id not in guilds:
            raise UsageError(
                f"Guild override '{guild_id}' is outside the selected target's allowed scope.",
                hint=did_you_mean(guild_id, guilds),
            )
    return only or guilds


def list_cheaply(target: Target, exporter: Exporter) -> Listed | None:
    """Return what the target's guilds list, threads apart; ``None`` for a target that has no guild, or never lists.

    For targets that go by the files they have: what is never listed is never missed.
    Raises: ExportError.
    """
    if target.kind is not TargetKind.GUILD or target.channel_ids or target.discover is Discover.NEVER:
        return None
    voice = target.include_voice_channels
    listed = [
        each for guild_id in target.guild_ids for each in exporter.channels(guild_id, threads="none", voice=voice)
    ]
    return Listed(channels=tuple(listed), wanted=wanted(target, listed))


def without_file(listed: Listed, known: Collection[ChannelId]) -> tuple[ChosenChannel, ...]:
    """Return the channels that are wanted, hold messages and are not among the known ones."""
    return tuple(
        ChosenChannel(channel_id=each.channel_id, name=each.name)
        for each in listed.channels
        if each.exportable and each.channel_id in listed.wanted and each.channel_id not in known
    )


def wanted(target: Target, listed: list[ChannelListing]) -> frozenset[ChannelId]:
    """Return the listed channels that the target does not exclude. A thread goes with its channel."""
    return frozenset(_chosen(target, listed))


def _chosen(target: Target, listed: list[ChannelListing]) -> dict[ChannelId, ChosenChannel]:
    """Return what is listed and wanted. A thread goes with its channel."""
    unwanted = set(target.exclude_channel_ids)
    unwanted |= {
        each.channel_id
        for each in listed
        if any(fnmatchcase(each.name, pattern) for pattern in target.exclude_channel_patterns)
    }
    return {
        each.channel_id: ChosenChannel(channel_id=each.channel_id, name=each.name, exportable=each.exportable)
        for each in listed
        if each.channel_id not in unwanted and each.parent_id not in unwanted
    }


def _choice(scope: str, channels: dict[ChannelId, ChosenChannel], channel_files: Collection[ChannelId]) -> Choice:
    ordered = tuple(channels[channel_id] for channel_id in sorted(channels, key=int))
    discovered = tuple(each.channel_id for each in ordered if each.channel_id not in channel_files and each.exportable)
    return Choice(scope=scope, channels=ordered, discovered=discovered)


def _narrow(target: Target, choice: Choice, only: tuple[ChannelId, ...]) -> Choice:
    known = {each.channel_id for each in choice.channels}
    for channel_id in only:
        if channel_id not in known:
            raise UsageError(
                f"Channel override '{channel_id}' is outside the selected target's allowed scope.",
                hint=did_you_mean(channel_id, known),
            )
    channels = tuple(each for each in choice.channels if not only or each.channel_id in only)
    if not channels:
        raise NoChannels(target.name, choice.scope)
    discovered = tuple(channel_id for channel_id in choice.discovered if not only or channel_id in only)
    chosen = {each.channel_id for each in channels}
    left_out = tuple(
        each for each in choice.channels if each.channel_id in choice.discovered and each.channel_id not in chosen
    )
    return replace(choice, channels=channels, discovered=discovered, left_out=left_out)
