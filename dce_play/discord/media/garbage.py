"""What a store has and nobody needs. Of what may be the only bytes of a URL, none is called garbage."""

import json
import shlex
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path

from dce_play.discord.archive.folder.naming import shown
from dce_play.discord.archive.view.cat import cat_messages
from dce_play.discord.media.references import message_references
from dce_play.discord.media.walk import channel_files
from dce_play.discord.media_store.ledger import read_ledger
from dce_play.discord.media_store.policy import MediaMode, MediaState
from dce_play.discord.media_store.store import MediaStore
from dce_play.discord.media_store.urls import unsigned
from dce_play.discord.targets.model import Target
from dce_play.errors import DcePlayError
from dce_play.layout import TargetLayout
from dce_play.system.counted import counted

_WITHOUT_BYTES = frozenset({MediaState.GONE, MediaState.FAILED})


class LedgerUnsure(DcePlayError):
    """A ledger does not say of every file what it is of use for, so none can be called garbage."""

    def __init__(self, place: str, target: str) -> None:
        super().__init__(
            f"{place}: which files it named is not known, so nothing is removed",
            hint=f"put the ledger back from a backup; what is wrong: dce-play media verify {shlex.quote(target)}",
        )


class MayBeNeeded(DcePlayError):
    """Files that no line names may be the bytes of URLs that have none: so it is where a ledger was lost."""

    def __init__(self, files: int, url: str, target: str) -> None:
        super().__init__(
            f"{counted(files, 'file')} that no line names may be needed: "
            f"{url} is in a channel file and has no bytes here",
            hint="put media.jsonl back from a backup if it was lost; else fetch what can be had, then look again: "
            f"dce-play media fetch {shlex.quote(target)}",
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Garbage:
    """What the store has and nothing names."""

    paths: tuple[Path, ...]
    size_bytes: int


def find_garbage(target: Target) -> Garbage:
    """Return the files of a store that no line names, and what fetches left. What any line ever kept stays.

    A damaged line that is too short for a digest named no file. Only where there are files that no line names, the
    channel files are looked through for a URL that may be theirs.

    Raises: LedgerUnsure, when a line that may have named one is damaged, or files are there and no ledger; MayBeNeeded;
    DamagedFile, OSError.
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
    if paths and (url := _url_without_bytes(target, layout)):
        raise MayBeNeeded(len(paths), url, target.name)
    paths += store.leftover_parts()
    return Garbage(paths=tuple(paths), size_bytes=sum(path.lstat().st_size for path in paths))


def _url_without_bytes(target: Target, layout: TargetLayout) -> str:
    """Return a URL of a channel file that no line settles; empty where there is none."""
    settled: set[str] = set()
    for line in read_ledger(layout.media_ledger):
        if line.value is not None:
            (settled.discard if line.value.state in _WITHOUT_BYTES else settled.add)(line.value.url)
    mode = target.media.mode if target.media.on else MediaMode.ALL
    for path, channel_id in channel_files(layout) if layout.folder.is_dir() else []:
        for message in cat_messages(path, layout=layout):
            for each in message_references(json.loads(message), channel_id, mode):
                if unsigned(each.url) not in settled:
                    return unsigned(each.url)
    return ""
