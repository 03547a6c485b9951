"""The names that an archive's members may have: below one folder, safe on every file system, each thing once."""

import hashlib
import unicodedata

import msgspec

from dce_play.system.counted import counted
from dce_play.transfer.refused import ArchiveRefused, shown

_DIGEST_BYTES = 16


class NameLimits(msgspec.Struct, frozen=True, kw_only=True):
    """How many names there may be, how long and how deep below the top folder."""

    members: int = 100_000
    depth: int = 32
    path_bytes: int = 1024


class _Known(msgspec.Struct):
    """One name that was seen: a digest of its exact spelling, what it is, and whether a member said so."""

    spelling: bytes
    folder: bool
    told: bool
    filled: bool = False


class MemberNames:
    """All names of one archive so far. Keeps digests, so that long names cost no more than short ones."""

    def __init__(self, top: str, limits: NameLimits) -> None:
        self._top = top
        self._limits = limits
        self._known: dict[bytes, _Known] = {}
        self._folders: dict[str, _Known] = {}
        self._count = 0

    def add(self, raw: bytes, *, folder: bool) -> str:
        """Return a member's path below the top folder, ``""`` for the top folder itself.

        Raises: ArchiveRefused, when the name is unsafe, taken, elsewhere, or one too many.
        """
        self._count += 1
        if self._count > self._limits.members:
            raise ArchiveRefused("too_large", f"more than {counted(self._limits.members, 'member')}")
        parts = _safe_parts(raw, folder=folder)
        if parts[0] != self._top or (len(parts) == 1 and not folder):
            raise ArchiveRefused("wrong_root", f"{shown(raw)} is not below {self._top}/")
        if len(parts) - 1 > self._limits.depth:
            raise ArchiveRefused("too_large", f"{shown(raw)} is deeper than {counted(self._limits.depth, 'folder')}")
        path = "/".join(parts[1:])
        if len(path.encode()) > self._limits.path_bytes:
            raise ArchiveRefused("too_large", f"{shown(raw)} is longer than {counted(self._limits.path_bytes, 'byte')}")
        for depth in range(2, len(parts)):
            parent = "/".join(parts[1:depth])
            self._note(parent, folder=True, told=False, raw=raw)
            self._folders[parent].filled = True
        self._note(path, folder=folder, told=True, raw=raw)
        return path

    def empty_folders(self) -> list[str]:
        """Return the folders below the top with nothing in them."""
        return [path for path, known in self._folders.items() if path and not known.filled]

    def _note(self, path: str, *, folder: bool, told: bool, raw: bytes) -> None:
        key = _digest(unicodedata.normalize("NFC", unicodedata.normalize("NFC", path).casefold()))
        spelling = _digest(path)
        known = self._known.setdefault(key, _Known(spelling=spelling, folder=folder, told=False))
        if known.folder != folder:
            raise ArchiveRefused("archive_unsafe", f"{shown(raw)} uses a file as a folder")
        if known.spelling != spelling:
            raise ArchiveRefused("archive_unsafe", f"{shown(raw)} differs from another name only in its spelling")
        if known.told and told:
            raise ArchiveRefused("archive_unsafe", f"{shown(raw)} is there twice")
        if folder:
            self._folders.setdefault(path, known)
        known.told = known.told or told


def _safe_parts(raw: bytes, *, folder: bool) -> list[str]:
    try:
        text = raw.decode()
    except UnicodeDecodeError as error:
        raise ArchiveRefused("archive_unsafe", f"the name {shown(raw)} is not UTF-8") from error
    if "\\" in text or any(unicodedata.category(each) == "Cc" for each in text):
        raise ArchiveRefused("archive_unsafe", f"the name {shown(raw)} has a backslash or a control character")
    if text.startswith("/"):
        raise ArchiveRefused("archive_unsafe", f"the name {shown(raw)} is absolute")
    parts = (text.removesuffix("/") if folder else text).split("/")
    if any(part in {"", ".", ".."} for part in parts):
        raise ArchiveRefused("archive_unsafe", f"the name {shown(raw)} has an empty part, . or ..")
    return parts


def _digest(text: str) -> bytes:
    return hashlib.blake2b(text.encode(), digest_size=_DIGEST_BYTES).digest()
