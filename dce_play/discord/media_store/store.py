"""Where the bytes lie: ``.dce-media/sha256/ab/<64 hex>``. A file has its name only when all of it is on the disk."""

import os
import re
from collections.abc import Iterator
from hashlib import sha256
from pathlib import Path

from dce_play.layout import TargetLayout
from dce_play.system.durable.disk import REAL, Disk

DIGEST = re.compile(r"[0-9a-f]{64}\Z")
_BLOCK = 1 << 20


class MediaStore:
    """One target's content store. Names come from digests alone, never from outside."""

    def __init__(self, layout: TargetLayout, *, disk: Disk = REAL) -> None:
        self.folder = layout.media
        self.content = layout.media / "sha256"
        self.parts = layout.media / "parts"
        self._disk = disk

    def path(self, digest: str) -> Path:
        """Return where the bytes with this digest lie."""
        if DIGEST.match(digest) is None:
            raise ValueError(f"no sha256: {digest!r}")
        return self.content / digest[:2] / digest

    def part(self, url: str) -> Path:
        """Return where a URL, without its signature, is fetched to."""
        return self.parts / f"{sha256(url.encode('utf-8', 'surrogatepass')).hexdigest()}.part"

    def make(self) -> None:
        """Make the folders. Raises: OSError."""
        self._disk.make_folder(self.content)
        self._disk.make_folder(self.parts)

    def adopt_part(self, part: Path, descriptor: int, digest: str) -> None:
        """Make a fetched file durable and give it its name, also where that name is taken: the bytes are the same.

        Raises: OSError.
        """
        place = self.path(digest)
        self._disk.make_folder(place.parent)
        self._disk.sync(descriptor)
        self._disk.rename(part, place)
        self._disk.sync_folder(place.parent)

    def files(self) -> Iterator[Path]:
        """Yield everything below the store's content folder, in order."""
        for name in self._disk.names(self.content):
            folder = self.content / name
            if folder.is_dir() and not folder.is_symlink():
                yield from (folder / each for each in self._disk.names(folder))
            else:
                yield folder

    def leftover_parts(self) -> list[Path]:
        """Return the files that no fetch finished."""
        return [self.parts / name for name in self._disk.names(self.parts)]

    def copy(self, digest: str, target: Path) -> bool:
        """Copy a kept file to a new one; return whether it is there with its own bytes. Raises: OSError."""
        if self.size(digest) is None:
            return False
        found = sha256()
        with target.open("xb") as out:
            for block in _blocks(self.path(digest)):
                found.update(block)
                out.write(block)
        if found.hexdigest() == digest:
            return True
        target.unlink()
        return False

    def size(self, digest: str) -> int | None:
        """Return the size of a kept file; ``None`` where there is no regular file."""
        try:
            status = self.path(digest).lstat()
        except OSError:
            return None
        return status.st_size if (status.st_mode & 0o170000) == 0o100000 else None


def digest_of(path: Path) -> str:
    """Return the sha256 of a regular file, links not followed. Raises: OSError."""
    found = sha256()
    for block in _blocks(path):
        found.update(block)
    return found.hexdigest()


def _blocks(path: Path) -> Iterator[bytes]:
    descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC)
    with os.fdopen(descriptor, "rb", buffering=0) as file:
        while block := file.read(_BLOCK):
            yield block
