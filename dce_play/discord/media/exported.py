"""One channel in DiscordChatExporter's own layout: the file, and ``<file>_Files`` with the media that are kept."""

import json
import mmap
import os
import re
import shutil
from dataclasses import dataclass
from pathlib import Path

from dce_play.discord.archive.folder.places import layout_of
from dce_play.discord.archive.view.cat import cat_file
from dce_play.discord.media_store.ledger import read_ledger
from dce_play.discord.media_store.policy import MediaState
from dce_play.discord.media_store.store import MediaStore
from dce_play.discord.media_store.urls import exported_name, unsigned
from dce_play.errors import UsageError
from dce_play.system.durable.whole_files import replacing

_LONG_MARK = 16
_URL = re.compile(rb'"(?:url|iconUrl|avatarUrl|sourceUrl|imageUrl)"(\s*:\s*)("(?:[^"\\]|\\.)*")')


class OutputTaken(UsageError):
    """The folder has an export of this name already."""

    def __init__(self, path: Path) -> None:
        super().__init__(f"{path} exists", hint="name another folder, or move it away")


@dataclass(frozen=True, slots=True, kw_only=True)
class MediaExport:
    """What was written."""

    path: Path
    files: int
    replaced: int
    """URLs that name a file now."""


def export_media(channel_file: Path, folder: Path) -> MediaExport:
    """Write a channel file and its media into a folder. Asks nobody; the channel file stays as it is.

    Raises: OutputTaken; DamagedFile, OSError.
    """
    layout = layout_of(channel_file)
    store = MediaStore(layout)
    destination = folder / channel_file.name
    beside = folder / f"{channel_file.name}_Files"
    for path in (destination, beside):
        if path.exists() or path.is_symlink():
            raise OutputTaken(path)
    folder.mkdir(parents=True, exist_ok=True)
    copy = folder / f".{channel_file.name[:200]}.copy"
    try:
        with copy.open("xb") as whole:
            for block in cat_file(channel_file, layout=layout):
                whole.write(block)
        kept = _kept(layout.media_ledger, _named(copy))
        beside.mkdir()
        files = _FilesFolder(beside, store)
        replaced = 0
        with copy.open("rb") as source, replacing(destination) as new:
            view = mmap.mmap(source.fileno(), 0, access=mmap.ACCESS_READ)
            with os.fdopen(os.dup(new.descriptor), "wb") as out:
                done = 0
                for found in _URL.finditer(view):
                    url = unsigned(json.loads(found[2]))
                    digest = kept.get(url)
                    if digest is None:
                        continue
                    out.write(view[done : found.start(2)])
                    out.write(json.dumps(f"{beside.name}/{files.name_of(url, digest)}", ensure_ascii=False).encode())
                    done = found.end(2)
                    replaced += 1
                out.write(view[done:])
            view.close()
    finally:
        copy.unlink(missing_ok=True)
    return MediaExport(path=destination, files=len(files), replaced=replaced)


def _named(copy: Path) -> set[str]:
    """Return the URLs in a channel file, without their signatures."""
    with copy.open("rb") as source, mmap.mmap(source.fileno(), 0, access=mmap.ACCESS_READ) as view:
        return {unsigned(json.loads(found[2])) for found in _URL.finditer(view)}


def _kept(ledger: Path, urls: set[str]) -> dict[str, str]:
    kept: dict[str, str] = {}
    for line in read_ledger(ledger):
        value = line.value
        if value is not None and value.url in urls:
            kept.pop(value.url, None)
            if value.state == MediaState.KEPT and value.sha256 is not None:
                kept[value.url] = value.sha256
    return kept


class _FilesFolder:
    """``<name>.json_Files``: what lies in it so far, by name and by URL."""

    def __init__(self, folder: Path, store: MediaStore) -> None:
        self._folder = folder
        self._store = store
        self._digests: dict[str, str] = {}
        self._names: dict[str, str] = {}

    def __len__(self) -> int:
        return len(self._digests)

    def name_of(self, url: str, digest: str) -> str:
        """Return the name of a URL's file, which is copied where it is not there yet. Raises: OSError.

        Five digits do not tell many thousand files of one name apart: where other bytes have the name, it gets 16.
        """
        name = self._names.get(url)
        if name is None:
            name = exported_name(url)
            if self._digests.get(name, digest) != digest:
                name = exported_name(url, digits=_LONG_MARK)
            if name not in self._digests:
                shutil.copyfile(self._store.path(digest), self._folder / name, follow_symlinks=False)
                self._digests[name] = digest
            self._names[url] = name
        return name
