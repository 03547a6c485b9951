"""What a token can see: guilds, their channels and threads, direct messages."""

import unicodedata

from dce_play.discord.exporters.discord_api.convert.entities import CATEGORY, Channel, parse_channel, parse_guild
from dce_play.discord.exporters.discord_api.convert.guild_view import fetch_channels
from dce_play.discord.exporters.discord_api.rest import pages
from dce_play.discord.exporters.discord_api.rest.answers import optional_identifier
from dce_play.discord.exporters.discord_api.rest.client import DiscordClient
from dce_play.discord.exporters.discord_api.rest.watch import Watch
from dce_play.discord.exporters.discord_api.threads import threads as find_threads
from dce_play.discord.exporters.protocol import ChannelListing, GuildListing
from dce_play.snowflake import ChannelId, GuildId


def guilds(client: DiscordClient, watch: Watch) -> list[GuildListing]:
    """Return the guilds, by name."""
    found = [parse_guild(source) for source in pages.guilds(client, watch)]
    found.sort(key=lambda guild: (guild.name.casefold(), int(guild.id)))
    return [GuildListing(guild_id=guild.id, name=_clean(guild.name)) for guild in found]


def guild_channels(
    client: DiscordClient, guild_id: GuildId, watch: Watch, *, threads: str, voice: bool
) -> list[ChannelListing]:
    """Return a guild's channels by category and name, each followed by its threads."""
    channels = fetch_channels(client, f"guilds/{guild_id}/channels", watch)
    shown = [
        channel for channel in channels.values() if channel.type_number != CATEGORY and (voice or not channel.is_voice)
    ]
    shown.sort(key=lambda channel: (_category_position(channel), channel.name.casefold(), int(channel.id)))
    children: dict[ChannelId, list[Channel]] = {}
    if threads != "none":
        parent_ids = [channel.id for channel in shown if _may_have_threads(channel)]
        for source in find_threads(client, guild_id, list(parent_ids), watch, archived=threads == "all"):
            parent = channels.get(ChannelId(optional_identifier(source, "parent_id") or ""))
            if parent is not None:
                children.setdefault(parent.id, []).append(parse_channel(source, parent))
    return [_listing(channel, guild_id) for parent in shown for channel in (parent, *children.get(parent.id, ()))]


def direct_messages(client: DiscordClient, watch: Watch) -> list[ChannelListing]:
    """Return the direct message channels, the one with the newest message first."""
    found = list(fetch_channels(client, "users/@me/channels", watch).values())
    found.sort(key=lambda channel: int(channel.last_message_id or 0), reverse=True)
    return [_listing(channel, channel.guild_id) for channel in found]


def _may_have_threads(channel: Channel) -> bool:
    """Return whether to ask for threads: voice channels have none. A missing ``last_message_id`` proves nothing."""
    return not channel.is_voice


def _category_position(channel: Channel) -> int:
    return -1 if channel.parent is None else channel.parent.position


def _listing(channel: Channel, guild_id: GuildId) -> ChannelListing:
    names = [channel.name] if channel.parent is None else [channel.parent.name, channel.name]
    return ChannelListing(
        channel_id=channel.id,
        guild_id=guild_id,
        name=" / ".join(_clean(name) for name in names),
        kind=channel.kind,
        exportable=channel.without_messages is None,
        parent_id=channel.parent.id if channel.is_thread and channel.parent is not None else None,
    )


def _clean(name: str) -> str:
    """Return a name that cannot break a line or steer a terminal."""
    return "".join(character for character in name if unicodedata.category(character) not in {"Cc", "Zl", "Zp"})
