"""Threads: found by search with a user's token, by listing with a bot's. A thread is told once, however often found."""

from collections.abc import Iterator, Mapping
from typing import Any

from dce_play.discord.exporters.discord_api.answers import (
    as_object,
    flag,
    identifier,
    objects,
    optional_object,
    optional_text,
)
from dce_play.discord.exporters.discord_api.client import DiscordClient
from dce_play.discord.exporters.discord_api.watch import Watch
from dce_play.snowflake import GuildId

_Source = Mapping[str, Any]


def threads(
    client: DiscordClient, guild_id: GuildId, parent_ids: list[str], watch: Watch, *, archived: bool
) -> Iterator[_Source]:
    """Yield the threads below these channels: the active ones, then, when asked for, the archived ones."""
    found = (
        _listed(client, guild_id, parent_ids, watch, archived=archived)
        if client.is_bot(watch)
        else _searched(client, parent_ids, watch, archived=archived)
    )
    seen: set[str] = set()
    for thread in found:
        thread_id = identifier(thread)
        if thread_id not in seen:
            seen.add(thread_id)
            yield thread


def _searched(client: DiscordClient, parent_ids: list[str], watch: Watch, *, archived: bool) -> Iterator[_Source]:
    for state in ("false", "true") if archived else ("false",):
        for parent_id in parent_ids:
            path = f"channels/{parent_id}/threads/search"
            query = {"sort_by": "last_message_time", "sort_order": "desc", "archived": state}
            known: set[str] = set()
            while True:
                answer = client.find(path, {**query, "offset": str(len(known))}, watch=watch)
                page = {} if answer is None else as_object(answer, path)
                fresh = [thread for thread in objects(page, "threads") if identifier(thread) not in known]
                yield from fresh
                known.update(identifier(thread) for thread in fresh)
                if not fresh or not flag(page, "has_more"):
                    break


def _listed(
    client: DiscordClient, guild_id: GuildId, parent_ids: list[str], watch: Watch, *, archived: bool
) -> Iterator[_Source]:
    path = f"guilds/{guild_id}/threads/active"
    yield from objects(as_object(client.get(path, watch=watch), path), "threads")
    if not archived:
        return
    for parent_id in parent_ids:
        for visibility in ("public", "private"):
            yield from _archived(client, f"channels/{parent_id}/threads/archived/{visibility}", watch)


def _archived(client: DiscordClient, path: str, watch: Watch) -> Iterator[_Source]:
    query: dict[str, str] = {}
    while True:
        answer = client.find(path, query, watch=watch)
        page = {} if answer is None else as_object(answer, path)
        found = objects(page, "threads")
        yield from found
        if not found or not flag(page, "has_more"):
            return
        before = optional_text(optional_object(found[-1], "thread_metadata") or {}, "archive_timestamp")
        if before is None or before == query.get("before"):
            return
        query = {"before": before}
