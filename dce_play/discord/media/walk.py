"""The media that a channel file names: only what is new since the file was last looked through."""

import json
import re
from pathlib import Path

from dce_play.discord.archive.proof.snapshot import target_seeds
from dce_play.discord.archive.view.cat import cat_messages
from dce_play.discord.media.references import guild_icon, message_references
from dce_play.discord.media.run import MediaRun
from dce_play.discord.media_store.policy import MediaMode, MediaReference
from dce_play.layout import TargetLayout
from dce_play.snowflake import ChannelId, MessageId

_OFFERED = 1_000
_HEAD_BYTES = 16 << 10
_ICON = re.compile(rb'"guild"\s*:\s*\{.*?"iconUrl"\s*:\s*("(?:[^"\\]|\\.)*")', re.DOTALL)


def walk_file(path: Path, channel_id: ChannelId, run: MediaRun, *, after: MessageId | None = None) -> None:
    """Queue the media of a channel file's messages beyond ``after``, else beyond those that are queued already.

    Raises: DamagedFile, OSError, sqlite3.Error.
    """
    index = run.index
    if index is None:
        return
    layout, mode = run.layout, run.policy.mode
    key = str(path.relative_to(layout.folder)) if path.is_relative_to(layout.folder) else str(path)
    status = path.stat()
    size, mtime_ns, last = index.walked(key, mode)
    if after is None and (size, mtime_ns) == (status.st_size, status.st_mtime_ns):
        return
    offer_icon(path, run)
    begin = after if after is not None else MessageId(str(last)) if last else None
    found: list[MediaReference] = []
    for line in cat_messages(path, layout=layout, after=begin):
        message = json.loads(line)
        found += message_references(message, channel_id, mode)
        last = max(last, int(message["id"]))
        if len(found) >= _OFFERED:
            run.offer(found)
            found = []
    run.offer(found)
    if after is None and run.index is not None:
        index.remember_walk(key, mode, (status.st_size, status.st_mtime_ns, last))


def offer_icon(path: Path, run: MediaRun) -> None:
    """Queue the icon of the guild that a channel file names, where pictures are wanted."""
    if run.policy.mode is not MediaMode.ALL:
        return
    with path.open("rb") as file:
        icon = _ICON.search(file.read(_HEAD_BYTES))
    url = json.loads(icon[1]) if icon else ""
    if url.startswith("https://"):
        run.offer([guild_icon(url)])


def channel_files(layout: TargetLayout) -> list[tuple[Path, ChannelId]]:
    """Return a target's channel files with their channels."""
    return [(seed.path, seed.channel_id) for seed in target_seeds(layout.folder)]
