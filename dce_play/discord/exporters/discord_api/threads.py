"""Threads: found by search with a user's token, by listing with a bot's. A thread is told once, however often found."""

from collections.abc import Iterator, Mapping
from datetime import timedelta
from typing import Any

from dce_play.discord.exporters.discord_api.convert.timestamps import moment_of
from dce_play.discord.exporters.discord_api.rest.answers import (
    flag,
    identifier,
    objects,
    optional_integer,
    optional_object,
    optional_text,
)
from dce_play.discord.exporters.discord_api.rest.client import DiscordClient
from dce_play.discord.exporters.discord_api.rest.pages import EndlessListing
from dce_play.discord.exporters.discord_api.rest.watch import Watch
from dce_play.snowflake import GuildId

MOST_THREADS = 100_000
"""Below one channel. Whoever tells of more is not asked on for ever."""
_Source = Mapping[str, Any]
_PAGE_SIZE = 100
_INSTANT = timedelta(milliseconds=1)
"""Discord compares archive times by the millisecond."""
_SLACK = 100
"""Threads that may be opened while they are being listed."""


def threads(
    client: DiscordClient, guild_id: GuildId, parent_ids: list[str], watch: Watch, *, archived: bool
) -> Iterator[_Source]:
    """Yield the threads below these channels: the active ones, then, when asked for, the archived ones.

    Raises: EndlessListing; what ``DiscordClient.get`` raises. A channel out of reach has none.
    """
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
            query = {"sort_by": "last_message_time", "sort_order": "desc", "archived": state}
            yield from _search(client, f"channels/{parent_id}/threads/search", query, watch)


def _search(client: DiscordClient, path: str, query: dict[str, str], watch: Watch) -> Iterator[_Source]:
    """Yield one search's threads. Where ``has_more`` is not told, only an empty page is the end."""
    known: set[str] = set()
    while True:
        page = client.find(path, {**query, "offset": str(len(known))}, watch=watch)
        if page is None:
            return
        found = objects(page, "threads")
        fresh = [thread for thread in found if identifier(thread) not in known]
        yield from fresh
        known.update(identifier(thread) for thread in fresh)
        if not found or not _goes_on(page):
            return
        total = optional_integer(page, "total_results")
        most = MOST_THREADS if total is None else min(MOST_THREADS, total + _SLACK)
        if not fresh or len(known) > most:
            raise EndlessListing(path)


def _listed(
    client: DiscordClient, guild_id: GuildId, parent_ids: list[str], watch: Watch, *, archived: bool
) -> Iterator[_Source]:
    yield from objects(client.get(f"guilds/{guild_id}/threads/active", watch=watch), "threads")
    if not archived:
        return
    for parent_id in parent_ids:
        for visibility in ("public", "private"):
            yield from _archived(client, f"channels/{parent_id}/threads/archived/{visibility}", watch)


def _archived(client: DiscordClient, path: str, watch: Watch) -> Iterator[_Source]:
    """Yield archived threads, the last archived first.

    Pages are asked for by time, exclusive. Many threads can have been archived in the same instant, so the instant at
    a page's edge is asked for again, and what comes twice is told once.
    """
    query = {"limit": str(_PAGE_SIZE)}
    known: set[str] = set()
    while True:
        page = client.find(path, query, watch=watch)
        if page is None:
            return
        found = objects(page, "threads")
        fresh = [thread for thread in found if identifier(thread) not in known]
        yield from fresh
        known.update(identifier(thread) for thread in fresh)
        if not found or not _goes_on(page):
            return
        before = _just_after(found[-1])
        got_on = before is not None and ("before" not in query or before < query["before"])
        if before is None or not fresh or not got_on or len(known) > MOST_THREADS:
            raise EndlessListing(path)
        query = {**query, "before": before}


def _goes_on(page: _Source) -> bool:
    return flag(page, "has_more") or page.get("has_more") is None


def _just_after(thread: _Source) -> str | None:
    """Return the first time that is later than a thread's archiving."""
    written = optional_text(optional_object(thread, "thread_metadata") or {}, "archive_timestamp")
    moment = None if written is None else moment_of(written)
    return None if moment is None else (moment + _INSTANT).isoformat(timespec="microseconds")
