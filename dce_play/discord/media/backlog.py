"""A target's backlog: its channel files looked through, and what they name fetched; and what is tried again."""

import sqlite3
from collections.abc import Callable

from dce_play.discord.media.opened import MediaTools, fetching
from dce_play.discord.media.outcome import MediaOutcome
from dce_play.discord.media.run import INDEX_NAME
from dce_play.discord.media.walk import channel_files, walk_file
from dce_play.discord.media_store.index import MediaIndex
from dce_play.discord.media_store.ledger import MediaLine, read_ledger
from dce_play.discord.media_store.policy import MediaState
from dce_play.discord.media_store.store import MediaStore
from dce_play.discord.targets.model import Target
from dce_play.errors import DcePlayError, UsageError
from dce_play.layout import TargetLayout


class MediaOff(UsageError):
    """A target keeps no media, and its media are asked for."""

    def __init__(self, target: str) -> None:
        super().__init__(
            f"target '{target}' keeps no media (media: off)", hint="write media: attachments or all into the target"
        )


def fetch_backlog(target: Target, tools: MediaTools) -> MediaOutcome:
    """Fetch what a target's channel files name and the store lacks. A file that cannot be read is told and passed over.

    Raises: MediaOff; BadCdnBase, DamagedChannelMap.
    """
    if not target.media.on:
        raise MediaOff(target.name)
    outcome = MediaOutcome()
    files = channel_files(TargetLayout(target.output_dir)) if target.output_dir.is_dir() else []
    if not files and not TargetLayout(target.output_dir).media_ledger.exists():
        return outcome
    with fetching(target, tools, outcome) as run:
        for path, channel_id in files:
            if tools.cancelled():
                break
            try:
                walk_file(path, channel_id, run)
            except (DcePlayError, OSError, ValueError, KeyError, sqlite3.Error) as error:
                tools.note(f"! {path}: its media are not looked through: {error}")
                outcome.unread += 1
    return outcome


def retry_gone(target: Target) -> int:
    """Queue what is gone, for the next fetch; return how many there are. Raises: OSError, sqlite3.Error."""
    return _with_index(target, lambda index: index.again((MediaState.GONE,)))


def retry_lost(target: Target) -> int:
    """Queue what the ledger says is kept and the store has not, or not whole. Raises: OSError, sqlite3.Error."""
    layout = TargetLayout(target.output_dir)
    store = MediaStore(layout)

    def lost() -> list[MediaLine]:
        last: dict[str, MediaLine] = {}
        for each in read_ledger(layout.media_ledger):
            line = each.value
            if line is None:
                continue
            last.pop(line.url, None)
            if line.state == MediaState.KEPT and (line.digest is None or store.size(line.digest) != line.size):
                last[line.url] = line
        return list(last.values())

    return _with_index(target, lambda index: index.requeue(lost()))


def _with_index(target: Target, queue: Callable[[MediaIndex], int]) -> int:
    layout = TargetLayout(target.output_dir)
    if not layout.media_ledger.exists():
        return 0
    index = MediaIndex(layout.media / INDEX_NAME, layout.media_ledger)
    try:
        return queue(index)
    finally:
        index.close()
