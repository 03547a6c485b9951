"""A target's backlog: its channel files looked through, and what they name fetched; and what is tried again."""

import shlex
import sqlite3
from collections.abc import Callable
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path

from dce_play.discord.archive.folder.naming import shown
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


class LedgerUnsure(DcePlayError):
    """A ledger does not say of every file what it is of use for, so none can be called garbage."""

    def __init__(self, place: str, target: str) -> None:
        super().__init__(
            f"{place}: which files it named is not known, so nothing is removed",
            hint=f"put the ledger back from a backup; what is wrong: dce-play media verify {shlex.quote(target)}",
        )


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


@dataclass(frozen=True, slots=True, kw_only=True)
class Garbage:
    """What the store has and nothing names."""

    paths: tuple[Path, ...]
    size_bytes: int


def find_garbage(target: Target) -> Garbage:
    """Return the files of a store that no line names, and what fetches left. What any line ever kept stays.

    A damaged line that is too short for a digest named no file.

    Raises: LedgerUnsure, when a line that may have named one is damaged, or files are there and no ledger; OSError.
    """
    layout = TargetLayout(target.output_dir)
    store = MediaStore(layout)
    named: set[str] = set()
    begin = 0
    for line in read_ledger(layout.media_ledger):
        size_bytes, begin = line.end - begin, line.end
        if line.value is None and size_bytes <= 2 * sha256().digest_size:
            continue
        if line.value is None or (line.value.state == MediaState.KEPT and line.value.digest is None):
            raise LedgerUnsure(f"{shown(layout.media_ledger)}:{line.number}: no line of media", target.name)
        if line.value.digest is not None:
            named.add(line.value.digest)
    paths = [path for path in store.files() if path.name not in named or path != store.path(path.name)]
    if paths and not layout.media_ledger.exists():
        raise LedgerUnsure(f"{shown(layout.media_ledger)} is not there", target.name)
    paths += store.leftover_parts()
    return Garbage(paths=tuple(paths), size_bytes=sum(path.lstat().st_size for path in paths))
