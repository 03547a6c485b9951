"""Asking Discord itself, once: does it take the token, does the token see the guilds, can one channel of each be read.

Our own client asks, whatever exports a target: the token is the same, and DiscordChatExporter takes minutes where
nobody answers. Writes nothing.
"""

from collections.abc import Callable, Iterable, Sequence

from dce_play.discord.exporters.discord_api.rest.client import RequestGivenUp
from dce_play.discord.exporters.protocol import Exporter, GuildListing
from dce_play.discord.scrape.preflight import preflight_target
from dce_play.discord.targets.model import Target, TargetKind
from dce_play.snowflake import ChannelId, GuildId


def visible_guilds(exporter: Exporter) -> dict[GuildId, GuildListing]:
    """Return the guilds that the token sees, by id.

    Raises: AuthenticationFailed, when Discord does not take it; ExportError.
    """
    return {guild.guild_id: guild for guild in exporter.guilds()}


def doubts(
    targets: Iterable[Target],
    *,
    exporter: Exporter,
    only: Sequence[ChannelId] = (),
    guilds: Sequence[GuildId] = (),
    note: Callable[[str], None],
) -> list[str]:
    """Return why not all is well with targets, a line each; empty when Discord answered well about every one.

    Raises: AuthenticationFailed; PreflightFailed, when no channel of a target can be read and it has no archive;
    NoChannels; any other ExportError but that nobody answers.
    """
    found: list[str] = []
    try:
        seen = visible_guilds(exporter)
    except RequestGivenUp as error:
        return [f"Discord does not answer: {error.reason}"]
    for target in targets:
        found += unseen_guilds(target, seen)
        try:
            probed = preflight_target(target, exporter=exporter, only=tuple(only), guilds=tuple(guilds), note=note)
        except RequestGivenUp as error:
            found.append(f"Discord does not answer about target '{target.name}': {error.reason}")
            continue
        if not probed.readable:
            found.append(f"no channel of target '{target.name}' can be read by this token")
    return found


def unseen_guilds(target: Target, seen: Iterable[GuildId]) -> list[str]:
    """Return a line for each guild of a target that the token does not see."""
    if target.kind is not TargetKind.GUILD or target.channel_ids:
        return []
    missing = [guild_id for guild_id in target.guild_ids if guild_id not in set(seen)]
    return [f"the token does not see guild {guild_id} of target '{target.name}'" for guild_id in missing]
