"""The manifest digest: what an episode contains, whatever program packed it.

Packed bytes vary with the threads, the level and the version of zstd; only this digest decides whether two
archives hold the same episode.
"""

import hashlib
from collections.abc import Iterable

import msgspec

DIGEST_PREFIX = "sha256:"


class Entry(msgspec.Struct, frozen=True, kw_only=True, order=True):
    """One line of a manifest. ``path`` is below ``<id>/``, as UTF-8 bytes; an empty folder's ends in ``/``."""

    path: bytes
    size: int = 0
    sha256: str = ""
    """64 hex digits; empty for an empty folder."""


class Manifest:
    """Folds entries into the digest as they come, in the order of their paths' bytes.

    ``in_order`` tells whether they came so; what came in another order has no digest here, see ``manifest_digest``.
    """

    def __init__(self) -> None:
        self._hash = hashlib.sha256()
        self._last = b""
        self.in_order = True

    def add(self, entry: Entry) -> None:
        """Take the next entry."""
        self.in_order = self.in_order and entry.path > self._last
        self._last = entry.path
        self._hash.update(b"%b\0%d\0%b\n" % (entry.path, entry.size, entry.sha256.encode("ascii")))

    def digest(self) -> str:
        """Return ``sha256:`` and 64 hex digits."""
        return DIGEST_PREFIX + self._hash.hexdigest()


def manifest_digest(entries: Iterable[Entry]) -> str:
    """Return the digest over entries in any order."""
    manifest = Manifest()
    for entry in sorted(entries):
        manifest.add(entry)
    return manifest.digest()


def empty_folders(folders: Iterable[bytes], files: Iterable[bytes]) -> list[Entry]:
    """Return an entry for each folder that nothing lies in. Paths come without a slash at their end."""
    folders = list(folders)
    filled = {path.rpartition(b"/")[0] for path in (*folders, *files)}
    return [Entry(path=folder + b"/") for folder in folders if folder not in filled]
