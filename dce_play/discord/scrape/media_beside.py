"""Media fetched beside a scrape: what each page names is queued at once, and nothing here may fail an append."""

import sqlite3
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from dce_play.discord.media.references import message_references, page_references
from dce_play.discord.media.run import MediaRun
from dce_play.discord.media.walk import offer_icon, walk_file
from dce_play.errors import DcePlayError
from dce_play.snowflake import ChannelId, MessageId

_TELLS_MESSAGES = "discord_api"
"""The exporter that hands out each message while it writes it."""


def queue_messages(
    run: MediaRun | None, channel_id: ChannelId
) -> Callable[[Mapping[str, Any], Mapping[str, Any]], None] | None:
    """Return what an exporter is to tell of each message; nothing where no media are kept."""
    if run is None:
        return None

    def queue(source: Mapping[str, Any], written: Mapping[str, Any]) -> None:
        found = [*message_references(written, channel_id, run.policy.mode), *page_references(source, channel_id)]
        if found:
            run.offer(found)

    return queue


def queue_file(
    run: MediaRun | None,
    path: Path | None,
    channel_id: ChannelId,
    *,
    exporter: str,
    after: MessageId | None,
    note: Callable[[str], None],
) -> None:
    """Queue what a placed export names and no exporter told of."""
    if run is None or path is None:
        return
    try:
        if exporter == _TELLS_MESSAGES:
            offer_icon(path, run)
        else:
            walk_file(path, channel_id, run, after=after or MessageId("0"))
    except (DcePlayError, OSError, ValueError, KeyError, sqlite3.Error) as error:
        note(f"! media of channel {channel_id} are not queued: {error}; dce-play media fetch does it")
