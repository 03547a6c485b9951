"""The three ways in which Discord lists threads: searched by users, active and archived for bots."""

from collections.abc import Mapping

from dce_play.discord.simulator.refusals import limit_of, number_of
from dce_play.discord.simulator.shapes import Json, archive_timestamp, channel_shape
from dce_play.discord.simulator.world import THREADS, Access, Channel, Kind, World
from dce_play.snowflake import GuildId


def active(world: World, guild_id: GuildId) -> Json:
    """Return a guild's threads that are not archived."""
    found = [
        each for each in world.channels() if each.guild_id == guild_id and each.kind in THREADS and not each.archived
    ]
    return {"threads": [channel_shape(each, world) for each in _visible(found)], "members": []}


def archived(world: World, parent: Channel, query: Mapping[str, str], /, *, private: bool) -> Json:
    """Return one page of a channel's archived threads, the last archived first."""
    limit = limit_of(query, default=50, most=100)
    found = [
        each
        for each in _visible(world.threads_of(parent.channel_id))
        if each.archived and (each.kind is Kind.PRIVATE_THREAD) == private
    ]
    found.sort(key=lambda each: archive_timestamp(each, world), reverse=True)
    before = query.get("before")
    if before is not None:
        found = [each for each in found if archive_timestamp(each, world) < before]
    return _page(world, found, limit)


def search(world: World, parent: Channel, query: Mapping[str, str], /) -> Json:
    """Return one page of a channel's threads, archived or not, the last written to first."""
    limit = limit_of(query, default=25, most=25)
    offset = number_of(query, "offset") or 0
    wanted = query.get("archived", "false") == "true"
    found = [each for each in _visible(world.threads_of(parent.channel_id)) if each.archived == wanted]
    found.sort(key=lambda each: int(world.last_message_id(each) or 0), reverse=True)
    return _page(world, found[offset:], limit) | {"total_results": len(found)}


def _page(world: World, found: list[Channel], limit: int) -> Json:
    return {
        "threads": [channel_shape(each, world) for each in found[:limit]],
        "members": [],
        "has_more": len(found) > limit,
    }


def _visible(channels: list[Channel]) -> list[Channel]:
    return [each for each in channels if each.access is not Access.HIDDEN]
