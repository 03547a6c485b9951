"""One channel in DiscordChatExporter's own layout: the file, and ``<file>_Files`` with the media that are kept."""

import json
import mmap
import os
import re
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryFile

from dce_play.discord.archive.folder.places import layout_of
from dce_play.discord.archive.view.cat import cat_file
from dce_play.discord.media_store.ledger import read_ledger
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
    lost: int
    """Contents that the ledger says are kept and the store has not, or not with these bytes; their URLs stay."""


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
    replaced = 0
    with TemporaryFile(dir=folder) as copy:  # without a name: killed, it is in nobody's way
        for block in cat_file(channel_file, layout=layout):
            copy.write(block)
        copy.flush()
        with mmap.mmap(copy.fileno(), 0, access=mmap.ACCESS_READ) as view:
            kept = _kept(layout.media_ledger, {unsigned(json.loads(found[2])) for found in _URL.finditer(view)})
            beside.mkdir()
            files = _FilesFolder(beside, store)
            with replacing(destination) as new, os.fdopen(os.dup(new.descriptor), "wb") as out:
                done = 0
                for found in _URL.finditer(view):
                    url = unsigned(json.loads(found[2]))
                    digest = kept.get(url)
                    name = files.name_of(url, digest) if digest is not None else None
                    if name is None:
                        continue
                    out.write(view[done : found.start(2)])
                    out.write(json.dumps(f"{beside.name}/{name}", ensure_ascii=False).encode())
                    done = found.end(2)
                    replaced += 1
                out.write(view[done:])
    return MediaExport(path=destination, files=len(files), replaced=replaced, lost=files.lost)


def _kept(ledger: Path, urls: set[str]) -> dict[str, str]:
    kept: dict[str, str] = {}
    for line in read_ledger(ledger):
        value = line.value
        if value is not None and value.url in urls:
            kept.pop(value.url, None)
            if value.digest is not None:
                kept[value.url] = value.digest
    return kept


class _FilesFolder:
    """``<name>.json_Files``: what lies in it so far, by name and by URL."""

    def __init__(self, folder: Path, store: MediaStore) -> None:
        self._folder = folder
        self._store = store
        self._digests: dict[str, str] = {}
        self._names: dict[str, str] = {}
        self._lost: set[str] = set()

    def __len__(self) -> int:
        return len(self._digests)

    @property
    def lost(self) -> int:
        """How many contents the store has not as they were kept."""
        return len(self._lost)

    def name_of(self, url: str, digest: str) -> str | None:
        """Return the name of a URL's file, which is copied where it is not there yet; ``None`` where it is lost.

        Five digits do not tell many thousand files of one name apart: where other bytes have the name, it gets 16.
        Names that differ in case alone are one name on some disks. Raises: OSError.
        """
        if url in self._names or digest in self._lost:
            return self._names.get(url)
        name = exported_name(url)
        if self._digests.get(name.casefold(), digest) != digest:
            name = exported_name(url, digits=_LONG_MARK)
        if name.casefold() not in self._digests:
            if not self._store.copy(digest, self._folder / name):
                self._lost.add(digest)
                return None
            self._digests[name.casefold()] = digest
        self._names[url] = name
        return name
