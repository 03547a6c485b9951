"""Discord's REST API over a world: which request gets which answer. Knows nothing of sockets."""

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from urllib.parse import unquote

from dce_play.discord.simulator import threads
from dce_play.discord.simulator.messages import message_at, reaction_users, without_content
from dce_play.discord.simulator.refusals import FORBIDDEN, SimulatedRefusal, invalid, limit_of, number_of, unknown
from dce_play.discord.simulator.shapes import channel_shape, guild_shape, member_shape, role_shape, user_shape
from dce_play.discord.simulator.world import DIRECTS, THREADS, WITHOUT_MESSAGES, Access, Channel, Guild, World
from dce_play.snowflake import GuildId

_MESSAGE_CONTENT_LIMITED = 1 << 19


@dataclass(frozen=True, slots=True, kw_only=True)
class Call:
    """One request that got past the door."""

    world: World
    bot: bool
    query: Mapping[str, str]


Handler = Callable[..., object]


def answer(call: Call, path: str) -> object:
    """Return the JSON for a request's path below the base URL. Raises: SimulatedRefusal."""
    for pattern, handler in _ROUTES:
        match = pattern.fullmatch(path)
        if match:
            return handler(call, *(unquote(part) for part in match.groups()))
    raise SimulatedRefusal(404, "404: Not Found")


def bucket_of(path: str) -> str:
    """Return the rate-limit bucket of a path: its route and the channel or guild it is about."""
    for pattern, _ in _ROUTES:
        match = pattern.fullmatch(path)
        if match:
            return f"{pattern.pattern} {match.group(1) if match.groups() else ''}"
    return "unknown"


def _me(call: Call) -> object:
    return user_shape(call.world.bot if call.bot else call.world.user)


def _application(call: Call) -> object:
    if not call.bot:
        raise SimulatedRefusal(403, "Only bots can use this endpoint", 20002)
    flags = _MESSAGE_CONTENT_LIMITED if call.world.bot_reads_content else 0
    return {"id": call.world.bot.user_id, "name": call.world.bot.username, "flags": flags}


def _my_guilds(call: Call) -> object:
    after = number_of(call.query, "after") or 0
    limit = limit_of(call.query, default=200, most=200)
    guilds = sorted(call.world.guilds.values(), key=lambda guild: int(guild.guild_id))
    page = [guild for guild in guilds if int(guild.guild_id) > after][:limit]
    return [{"id": guild.guild_id, "name": guild.name, "icon": guild.icon, "owner": False} for guild in page]


def _my_conversations(call: Call) -> object:
    if call.bot:
        return []
    return [channel_shape(each, call.world) for each in call.world.channels() if each.kind in DIRECTS]


def _user(call: Call, user_id: str) -> object:
    world = call.world
    people = [member.user for guild in world.guilds.values() for member in guild.members]
    people += [world.user, world.bot, *(user for channel in world.channels() for user in channel.authors)]
    for user in people:
        if user.user_id == user_id:
            return user_shape(user)
    raise unknown("User", 10013)


def _guild(call: Call, guild_id: str) -> object:
    return guild_shape(_guild_of(call, guild_id), call.world)


def _guild_channels(call: Call, guild_id: str) -> object:
    guild = _guild_of(call, guild_id)
    return [
        channel_shape(each, call.world)
        for each in call.world.channels()
        if each.guild_id == guild.guild_id and each.kind not in THREADS
    ]


def _guild_roles(call: Call, guild_id: str) -> object:
    return [role_shape(role) for role in _guild_of(call, guild_id).roles]


def _member(call: Call, guild_id: str, user_id: str) -> object:
    for member in _guild_of(call, guild_id).members:
        if member.user.user_id == user_id:
            return member_shape(member)
    raise unknown("Member", 10007)


def _active_threads(call: Call, guild_id: str) -> object:
    if not call.bot:
        raise SimulatedRefusal(403, "Only bots can use this endpoint", 20002)
    return threads.active(call.world, _guild_of(call, guild_id).guild_id)


def _channel(call: Call, channel_id: str) -> object:
    return channel_shape(_channel_of(call, channel_id), call.world)


def _search_threads(call: Call, channel_id: str) -> object:
    if call.bot:
        raise SimulatedRefusal(403, "Bots cannot use this endpoint", 20001)
    return threads.search(call.world, _channel_of(call, channel_id), call.query)


def _archived_threads(call: Call, channel_id: str, which: str) -> object:
    return threads.archived(call.world, _channel_of(call, channel_id), call.query, private=which == "private")


def _messages(call: Call, channel_id: str) -> object:
    channel = _readable(call, channel_id)
    if channel.access is Access.NO_HISTORY:
        return []
    timeline = call.world.timeline(channel.channel_id)
    limit = limit_of(call.query, default=50, most=100)
    before, after, around = (number_of(call.query, name) for name in ("before", "after", "around"))
    if around is not None:
        newer = timeline.above(around, limit // 2)
        indexes = [*reversed(newer), *timeline.below(around + 1, limit - len(newer))]
    elif after is not None:
        indexes = [*reversed(timeline.above(after, limit))]
    else:
        indexes = timeline.newest(limit) if before is None else timeline.below(before, limit)
    page = [message_at(call.world, channel, index) for index in indexes]
    return page if call.world.bot_reads_content or not call.bot else [without_content(each) for each in page]


def _reactions(call: Call, channel_id: str, message_id: str, emoji: str) -> object:
    channel = _readable(call, channel_id)
    index = call.world.timeline(channel.channel_id).index_of(message_id) if message_id.isdecimal() else None
    if index is None:
        raise unknown("Message", 10008)
    people = reaction_users(message_at(call.world, channel, index), emoji, channel.authors)
    if people is None:
        raise unknown("Emoji", 10014)
    after = number_of(call.query, "after") or 0
    limit = limit_of(call.query, default=25, most=100)
    return [user_shape(user) for user in people if int(user.user_id) > after][:limit]


def _guild_of(call: Call, guild_id: str) -> Guild:
    guild = call.world.guilds.get(GuildId(guild_id))
    if guild is None:
        raise unknown("Guild", 10004)
    return guild


def _channel_of(call: Call, channel_id: str) -> Channel:
    channel = call.world.channel(channel_id)
    if channel is None:
        raise unknown("Channel", 10003)
    if channel.access is Access.HIDDEN or (call.bot and channel.kind in DIRECTS):
        raise FORBIDDEN
    return channel


def _readable(call: Call, channel_id: str) -> Channel:
    channel = _channel_of(call, channel_id)
    if channel.access is Access.NO_MESSAGES:
        raise FORBIDDEN
    if channel.kind in WITHOUT_MESSAGES:
        raise invalid("Cannot execute action on this channel type", 50024)
    return channel


def _route(pattern: str) -> re.Pattern[str]:
    return re.compile(pattern.replace("{}", "([^/]+)"))


_ROUTES: Sequence[tuple[re.Pattern[str], Handler]] = (
    (_route("/users/@me"), _me),
    (_route("/users/@me/guilds"), _my_guilds),
    (_route("/users/@me/channels"), _my_conversations),
    (_route("/users/{}"), _user),
    (_route("/applications/@me"), _application),
    (_route("/guilds/{}"), _guild),
    (_route("/guilds/{}/channels"), _guild_channels),
    (_route("/guilds/{}/roles"), _guild_roles),
    (_route("/guilds/{}/members/{}"), _member),
    (_route("/guilds/{}/threads/active"), _active_threads),
    (_route("/channels/{}"), _channel),
    (_route("/channels/{}/messages"), _messages),
    (_route("/channels/{}/messages/{}/reactions/{}"), _reactions),
    (_route("/channels/{}/threads/search"), _search_threads),
    (_route("/channels/{}/threads/archived/(public|private)"), _archived_threads),
)
