"""Signatures renewed: Discord's API gives the URLs of attachments anew, 50 at a time. Only it ever gets the token."""

from collections.abc import Callable, Sequence
from typing import Any

from dce_play.discord.exporters.discord_api.rest.client import DiscordClient
from dce_play.discord.exporters.discord_api.rest.watch import Watch
from dce_play.discord.exporters.protocol import ExportCancelled, ExportError
from dce_play.errors import DcePlayError
from dce_play.system.clock import Clock

BATCH = 50
_PATH = "attachments/refresh-urls"

Refresh = Callable[[Sequence[str]], "dict[str, str] | None"]
"""Gets at most ``BATCH`` URLs and returns those that were renewed, by the old one; ``None`` when nobody could say."""


class Refresher:
    """Renews URLs with one token, which is looked for only when a URL has to be renewed."""

    def __init__(
        self,
        connect: Callable[[], DiscordClient],
        *,
        clock: Clock,
        note: Callable[[str], None],
        cancelled: Callable[[], bool] = lambda: False,
    ) -> None:
        """``connect`` makes the client; what it raises is told once, and nothing is renewed then."""
        self._connect = connect
        self._client: DiscordClient | None = None
        self._watch = Watch(clock, channel_id="media", cancelled=cancelled)
        self._note = note
        self._given_up = False

    def __call__(self, urls: Sequence[str]) -> dict[str, str] | None:
        """Return the new URLs by the old ones."""
        if self._given_up:
            return None
        try:
            if self._client is None:
                self._client = self._connect()
            answer = self._client.post(_PATH, {"attachment_urls": list(urls)}, watch=self._watch)
        except ExportCancelled:
            return None
        except DcePlayError as error:
            self._given_up = not isinstance(error, ExportError) or "token" in str(error)
            self._note(f"! signatures of media cannot be renewed: {error}")
            return None
        return dict(filter(None, map(_pair, answer["refreshed_urls"])))

    def close(self) -> None:
        """End all connections."""
        if self._client is not None:
            self._client.close()


def _pair(item: Any) -> tuple[str, str] | None:
    if not isinstance(item, dict):
        return None
    original, refreshed = item.get("original"), item.get("refreshed")
    return (original, refreshed) if isinstance(original, str) and isinstance(refreshed, str) else None
