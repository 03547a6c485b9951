"""Finding the channel files under a target's folder by their names."""

import os
import re
import stat
from collections.abc import Collection, Iterator
from dataclasses import dataclass
from pathlib import Path

from dce_play.layout import MEDIA_FOLDER, META_FOLDER, TEMP_FOLDER
from dce_play.snowflake import ChannelId, is_full_id

_CHANNEL_FILE = re.compile(
    r"""\[(?P<id>[0-9]{1,22})\]
        (?:\ \((?:after|before)\ [^()]*\)|\ \([^()]*\ to\ [^()]*\))?
        (?:\ \[part\ [0-9]+\])?
        \.json""",
    re.ASCII | re.VERBOSE,
)
_OURS = frozenset({MEDIA_FOLDER, META_FOLDER, TEMP_FOLDER})


@dataclass(frozen=True, slots=True)
class Seed:
    """A file whose name says that it holds a channel. ``path`` is absolute when the folder searched is."""

    path: Path
    channel_id: ChannelId


def channel_id_of(name: str) -> ChannelId | None:
    """Return the channel id that a file name ends in, or ``None``.

    DCE's own additions for a date range and for partitions may stand between the id and ``.json``.
    """
    start = name.rfind("[part ")
    start = name.rfind("[", 0, start if start > 0 else len(name))
    found = _CHANNEL_FILE.fullmatch(name, start) if start >= 0 else None
    return ChannelId(found["id"]) if found else None


def find_seeds(folder: Path, *, known: Collection[ChannelId] = ()) -> list[Seed]:
    """Return the channel files below the folder, in a stable order; none where there is no such folder yet.

    An id in a name counts when it has 16 to 22 digits or is among the ``known`` ones. Symbolic links to folders are
    not followed. A link to a file is reported like a file: whoever uses it must look where it leads.
    """
    found = []
    for path in json_files(folder):
        channel_id = channel_id_of(path.name)
        if channel_id is not None and (is_full_id(channel_id) or channel_id in known):
            found.append(Seed(path, channel_id))
    return found


def json_files(folder: Path) -> Iterator[Path]:
    """Yield every ``*.json`` below the folder in a stable order, our own folders left out."""
    pending = [folder] if folder.is_dir() else []
    while pending:
        here = pending.pop()
        with os.scandir(here) as entries:
            ordered = sorted(entries, key=lambda entry: os.fsencode(entry.name))
        pending.extend(
            Path(entry.path)
            for entry in reversed(ordered)
            if entry.name not in _OURS and entry.is_dir(follow_symlinks=False)
        )
        yield from (Path(entry.path) for entry in ordered if entry.name.endswith(".json") and _is_file(entry))


def twins_among(seeds: Collection[Seed]) -> dict[ChannelId, list[Path]]:
    """Return the channels that more than one file claims, with those files."""
    by_channel: dict[ChannelId, list[Path]] = {}
    for seed in seeds:
        by_channel.setdefault(seed.channel_id, []).append(seed.path)
    return {channel_id: paths for channel_id, paths in by_channel.items() if len(paths) > 1}


def _is_file(entry: os.DirEntry[str]) -> bool:
    try:
        return stat.S_ISREG(entry.stat().st_mode)
    except OSError:
        return False
