"""What a scrape keeps beside a channel file: messages that could not be read, and raw ones.

Both are durable before the export's own messages go into the archive: a crash between the two repeats lines, and
loses none.
"""

import os
from pathlib import Path

from dce_play.discord.archive.folder.temps import ODD_NAME, RAW_NAME, Temp
from dce_play.discord.exporters.protocol import ExportFormat
from dce_play.layout import TargetLayout
from dce_play.snowflake import ChannelId
from dce_play.system.durable.json_lines import add_lines, read_lines
from dce_play.system.durable.whole_files import sync_folder

_CHUNK_BYTES = 1 << 20
_LOOK_BACK_BYTES = 4 << 20
_LATEST_MARK = b'\n      "components": ['
"""Stands in every message of the latest format and in none of 2.46; no string in a file has a raw line break."""


def keep_odd(layout: TargetLayout, channel_id: ChannelId, temp: Temp) -> int:
    """Add the export's unreadable messages to those of the channel, each id once; return how many were new."""
    path = layout.odd(channel_id)
    known = {line.get("id") for line in read_lines(path)}
    lines = {line["id"]: raw for raw, line in _with_raw(temp.place / ODD_NAME) if line.get("id") not in known}
    if lines:
        add_lines(path, lines.values())
    return len(lines)


def keep_raw(layout: TargetLayout, channel_id: ChannelId, temp: Temp) -> None:
    """Move the export's raw messages to those of the channel, as one more gzip member."""
    source = temp.place / RAW_NAME
    if not source.exists():
        return
    path = layout.raw(channel_id)
    path.parent.mkdir(parents=True, exist_ok=True)
    with source.open("rb") as made, path.open("ab") as kept:
        while chunk := made.read(_CHUNK_BYTES):
            kept.write(chunk)
        kept.flush()
        os.fsync(kept.fileno())
    sync_folder(path.parent)
    source.unlink()


def format_for(archive: Path | None, asked: str | None) -> ExportFormat:
    """Return the format for a channel: the one asked for, else what its file was begun in, else the latest."""
    if asked is not None:
        return ExportFormat(asked)
    if archive is None:
        return ExportFormat.LATEST
    with archive.open("rb") as file:
        size_bytes = file.seek(0, os.SEEK_END)
        file.seek(max(size_bytes - _LOOK_BACK_BYTES, 0))
        end = file.read()
    return ExportFormat.LATEST if _LATEST_MARK in end else ExportFormat.V2_46


def _with_raw(path: Path) -> list[tuple[bytes, dict[str, object]]]:
    if not path.exists():
        return []
    raws = path.read_bytes().splitlines()
    return list(zip(raws, read_lines(path), strict=False))
