"""Long lists, page by page: messages, guilds, the users of a reaction. None of them loops for ever."""

from collections.abc import Iterator, Mapping
from typing import Any
from urllib.parse import quote

from dce_play.discord.exporters.discord_api.rest.answers import as_objects, identifier
from dce_play.discord.exporters.discord_api.rest.client import DiscordClient, RequestRefused
from dce_play.discord.exporters.discord_api.rest.watch import Watch
from dce_play.discord.exporters.protocol import ExportFailed
from dce_play.snowflake import ChannelId

PAGE_SIZE = 100
MOST_GUILDS = 20_000
"""Of one token; users are in at most 200, and few bots in more than this."""


class EndlessListing(ExportFailed):
    """The server gives the same page again and again, or more and more than it announced."""

    def __init__(self, path: str) -> None:
        super().__init__(
            f"listing '{path}' does not end: its pages do not get on, or hold more than was announced",
            hint="what came is not taken for the whole; try again later",
        )
        self.path = path


def newest_message(client: DiscordClient, channel_id: ChannelId, watch: Watch) -> Mapping[str, Any] | None:
    """Return the channel's newest message."""
    path = f"channels/{channel_id}/messages"
    found = as_objects(client.get(path, {"limit": "1"}, watch=watch), path)
    return found[0] if found else None


def oldest_message_id_after(client: DiscordClient, channel_id: ChannelId, after: int, watch: Watch) -> int | None:
    """Return the id of the first message that is newer than the given one.

    Raises: EndlessListing.
    """
    path = f"channels/{channel_id}/messages"
    found = as_objects(client.get(path, {"limit": "1", "after": str(after)}, watch=watch), path)
    oldest = min((int(identifier(message)) for message in found), default=None)
    if oldest is not None and oldest <= after:
        raise EndlessListing(path)
    return oldest


def message_pages(
    client: DiscordClient, channel_id: ChannelId, after: int, watch: Watch, *, horizon: int
) -> Iterator[list[Mapping[str, Any]]]:
    """Yield pages of messages newer than ``after``, oldest first. Only an empty page is the end, a short one is not.

    An id beyond ``horizon`` is handed out, too, but never asked on from: whatever is honest lies below it.
    Raises: EndlessListing.
    """
    path = f"channels/{channel_id}/messages"
    while True:
        query = {"limit": str(PAGE_SIZE), "after": str(after)}
        found = as_objects(client.get(path, query, watch=watch), path)
        if not found:
            return
        by_id = {int(identifier(message)): message for message in found}
        page = [by_id[message_id] for message_id in sorted(by_id) if message_id > after]
        if not page:
            raise EndlessListing(path)
        yield page
        honest = [message_id for message_id in by_id if message_id <= horizon]
        if not honest or max(honest) <= after:
            return
        after = max(honest)


def guilds(client: DiscordClient, watch: Watch) -> Iterator[Mapping[str, Any]]:
    """Yield the guilds that the token is in.

    Raises: EndlessListing, after more than ``MOST_GUILDS``.
    """
    after = told = 0
    while True:
        query = {"limit": str(PAGE_SIZE), "after": str(after)}
        found = as_objects(client.get("users/@me/guilds", query, watch=watch), "users/@me/guilds")
        fresh = [guild for guild in found if int(identifier(guild)) > after]
        if not fresh:
            return
        yield from fresh
        told += len(fresh)
        if told > MOST_GUILDS:
            raise EndlessListing("users/@me/guilds")
        after = max(int(identifier(guild)) for guild in fresh)


def reaction_users(
    client: DiscordClient, channel_id: ChannelId, message_id: str, emoji: str, count: int, watch: Watch
) -> Iterator[Mapping[str, Any]]:
    """Yield the users who reacted with an emoji (``name:id``, or the character); none where Discord refuses to tell.

    It refuses with 403 and 404, and with 400 once a custom emoji is deleted. A page that is not full is the last one:
    that halves the requests of busy channels. ``count`` is how many were announced.
    Raises: EndlessListing, when far more come.
    """
    path = f"channels/{channel_id}/messages/{message_id}/reactions/{quote(emoji, safe='', errors='replace')}"
    after = told = 0
    while True:
        try:
            found = as_objects(client.get(path, {"limit": str(PAGE_SIZE), "after": str(after)}, watch=watch), path)
        except RequestRefused:
            return
        fresh = [user for user in found if int(identifier(user)) > after]
        yield from fresh
        told += len(fresh)
        if len(found) < PAGE_SIZE or not fresh:
            return
        if told > 2 * max(count, 0) + 2 * PAGE_SIZE:
            raise EndlessListing(path)
        after = max(int(identifier(user)) for user in fresh)
