"""What one export sees of its guild: names, roles and members, fetched when they are first needed.

Members are fetched once per guild and run, and shared by the exports of all its channels. Yet each export shows a
member's nickname and roles only from where that export first met them, as DiscordChatExporter does, so that a file
does not depend on which channels were exported before it.
"""

import threading
from collections import OrderedDict
from collections.abc import Mapping

from dce_play.discord.exporters.discord_api.convert.entities import (
    DIRECT_MESSAGES,
    DIRECT_MESSAGES_ID,
    Channel,
    Guild,
    Member,
    Role,
    User,
    parse_channel,
    parse_guild,
    parse_member,
    parse_role,
    parse_user,
)
from dce_play.discord.exporters.discord_api.rest.answers import as_object, as_objects, optional_identifier
from dce_play.discord.exporters.discord_api.rest.client import DiscordClient
from dce_play.discord.exporters.discord_api.rest.watch import Watch
from dce_play.snowflake import ChannelId, GuildId

MEMBERS_KEPT = 50_000


class MemberCache:
    """The members met last; the one unused for longest goes first. Safe to use from several threads."""

    def __init__(self, kept: int = MEMBERS_KEPT) -> None:
        self._kept = kept
        self._members: OrderedDict[str, Member | None] = OrderedDict()
        self._lock = threading.Lock()

    def __contains__(self, user_id: str) -> bool:
        return user_id in self._members

    def get(self, user_id: str) -> Member | None:
        with self._lock:
            if user_id not in self._members:
                return None
            self._members.move_to_end(user_id)
            return self._members[user_id]

    def put(self, user_id: str, member: Member | None) -> None:
        with self._lock:
            self._members[user_id] = member
            if len(self._members) > self._kept:
                self._members.popitem(last=False)


class GuildCache:
    """One guild over a whole run."""

    def __init__(self, guild: Guild, channels: Mapping[ChannelId, Channel], roles: Mapping[str, Role]) -> None:
        self.guild = guild
        self.channels = channels
        self.roles = roles
        self.members = MemberCache()


class GuildCaches:
    """The guilds of a run, each fetched once."""

    def __init__(self, client: DiscordClient) -> None:
        self._client = client
        self._caches: dict[GuildId, GuildCache] = {}
        self._lock = threading.Lock()

    def get(self, guild_id: GuildId, watch: Watch) -> GuildCache:
        """Return a guild's cache. Fetches the guild, its channels and its roles when they are not known yet."""
        with self._lock:
            if guild_id not in self._caches:
                self._caches[guild_id] = self._fetch(guild_id, watch)
            return self._caches[guild_id]

    def _fetch(self, guild_id: GuildId, watch: Watch) -> GuildCache:
        if guild_id == DIRECT_MESSAGES_ID:
            channels = fetch_channels(self._client, "users/@me/channels", watch)
            return GuildCache(DIRECT_MESSAGES, channels, {})
        path = f"guilds/{guild_id}"
        guild = parse_guild(as_object(self._client.get(path, watch=watch), path))
        channels = fetch_channels(self._client, f"{path}/channels", watch)
        roles = as_objects(self._client.get(f"{path}/roles", watch=watch), f"{path}/roles")
        return GuildCache(guild, channels, {role.id: role for role in map(parse_role, roles)})


def fetch_channels(client: DiscordClient, path: str, watch: Watch) -> dict[ChannelId, Channel]:
    """Return the channels listed at a path, by id, each with its category."""
    listed = as_objects(client.get(path, watch=watch), path)
    alone = {channel.id: channel for channel in map(parse_channel, listed)}
    with_parents = (
        parse_channel(source, alone.get(ChannelId(optional_identifier(source, "parent_id") or ""))) for source in listed
    )
    return {channel.id: channel for channel in with_parents}


class GuildView:
    """One export's view of its guild."""

    def __init__(self, client: DiscordClient, cache: GuildCache, watch: Watch) -> None:
        self._client = client
        self._cache = cache
        self._watch = watch
        self._met = MemberCache()

    @property
    def guild(self) -> Guild:
        return self._cache.guild

    def channel(self, channel_id: str) -> Channel | None:
        return self._cache.channels.get(ChannelId(channel_id))

    def role(self, role_id: str) -> Role | None:
        return self._cache.roles.get(role_id)

    def meet(self, user: User) -> None:
        """Fetch the member that this user is; who has left the guild is shown as the user alone."""
        if user.id not in self._met:
            self._met.put(user.id, self._member(user.id) or Member(user=user))

    def meet_by_id(self, user_id: str) -> Member | None:
        """Return the member with this id, else the user, else ``None``: the account may be gone."""
        if user_id not in self._met:
            member = self._member(user_id)
            if member is None:
                path = f"users/{user_id}"
                found = self._client.find(path, watch=self._watch)
                member = None if found is None else Member(user=parse_user(as_object(found, path)))
            self._met.put(user_id, member)
        return self._met.get(user_id)

    def member(self, user_id: str) -> Member | None:
        """Return a member whom this export has met."""
        return self._met.get(user_id)

    def roles(self, user_id: str) -> list[Role]:
        """Return the roles of a member whom this export has met, highest first."""
        member = self._met.get(user_id)
        if member is None:
            return []
        known = [self._cache.roles[role_id] for role_id in member.role_ids if role_id in self._cache.roles]
        return sorted(known, key=lambda role: -role.position)

    def _member(self, user_id: str) -> Member | None:
        guild_id = self._cache.guild.id
        if guild_id == DIRECT_MESSAGES_ID:
            return None
        shared = self._cache.members
        if user_id in shared:
            return shared.get(user_id)
        path = f"guilds/{guild_id}/members/{user_id}"
        found = self._client.find(path, watch=self._watch)
        member = None if found is None else parse_member(as_object(found, path), guild_id)
        shared.put(user_id, member)
        return member
