"""Whether an episode's archive is what the contract asks for, told while it streams in, with flat memory.

``check = ArchiveCheck("ep-1", ArchiveLimits())``, then ``check.feed(bytes)`` for all of it and ``check.finish()``.
Nothing is ever unpacked to disk.
"""

import hashlib
import json
from typing import Any

import msgspec

from dce_play.system.counted import counted
from dce_play.transfer.ids import is_commit
from dce_play.transfer.manifest import Entry, manifest_digest
from dce_play.transfer.member_names import MemberNames, NameLimits
from dce_play.transfer.refused import ArchiveRefused
from dce_play.transfer.tar_stream import TarStream
from dce_play.transfer.zstd_frames import ZstdStream

RATIO_FROM_BYTES = 64 << 20
"""Below this many unpacked bytes no ratio is looked at: small zeros pack very well."""
LONGEST_META_BYTES = 1 << 20
META = "meta.json"


class ArchiveLimits(msgspec.Struct, frozen=True, kw_only=True):
    """How much an archive may hold."""

    unpacked_bytes: int = 256 << 30
    ratio: int = 1000
    names: NameLimits = NameLimits()


class CheckedArchive(msgspec.Struct, frozen=True, kw_only=True):
    """What a sound archive holds."""

    manifest_digest: str
    """``sha256:`` and 64 hex digits."""
    files: int
    bytes: int
    """Of all files together, unpacked."""
    commit: str | None
    """The 40 hex digits of ``code_version.commit``; ``None`` when the episode is unstamped."""
    host_id: str | None
    """What ``meta.json`` says; nobody checked it."""


class ArchiveCheck:
    """Reads one archive. After an error it must not be fed again."""

    def __init__(self, episode_id: str, limits: ArchiveLimits, *, packed_bytes: int | None = None) -> None:
        """``packed_bytes`` is the whole archive's size where it is known: the ratio is taken against it."""
        self._limits = limits
        self._names = MemberNames(episode_id, limits.names)
        self._zstd = ZstdStream(self._unpacked)
        self._tar = TarStream(self)
        self._packed_whole = packed_bytes
        self._packed = 0
        self._unpacked_bytes = 0
        self._files: list[Entry] = []
        self._bytes = 0
        self._path = ""
        self._size = 0
        self._folder = False
        self._hash = hashlib.sha256()
        self._meta: bytearray | None = None
        self._in_meta = False

    def feed(self, data: bytes | memoryview) -> None:
        """Take the next bytes of the archive.

        Raises: ArchiveRefused, as soon as a rule is broken.
        """
        self._packed += len(data)
        self._zstd.feed(data)

    def finish(self) -> CheckedArchive:
        """Return what the archive holds, now that all of it was fed.

        Raises: ArchiveRefused.
        """
        self._zstd.finish()
        self._tar.finish()
        meta = self._parsed_meta()
        empty = [Entry(path=f"{path}/".encode()) for path in self._names.empty_folders()]
        return CheckedArchive(
            manifest_digest=manifest_digest([*self._files, *empty]),
            files=len(self._files),
            bytes=self._bytes,
            commit=commit_of(meta),
            host_id=host_of(meta),
        )

    def _unpacked(self, data: bytes) -> None:
        self._unpacked_bytes += len(data)
        total = self._unpacked_bytes
        if total > self._limits.unpacked_bytes:
            raise ArchiveRefused("too_large", f"more than {counted(self._limits.unpacked_bytes, 'byte')} unpacked")
        packed = self._packed_whole or self._packed
        if total > RATIO_FROM_BYTES and total > packed * self._limits.ratio:
            raise ArchiveRefused("too_large", f"unpacks to more than {self._limits.ratio} times its size")
        self._tar.feed(data)

    def begin(self, path: bytes, size: int, *, folder: bool) -> None:
        """Take note of a member (see ``tar_stream.Members``)."""
        self._path, self._size, self._folder = self._names.add(path, folder=folder), size, folder
        self._hash = hashlib.sha256()
        self._in_meta = self._path == META and not folder
        if self._in_meta:
            if size > LONGEST_META_BYTES:
                raise ArchiveRefused(
                    "bad_meta", f"meta.json has {counted(size, 'byte')}, more than {LONGEST_META_BYTES}"
                )
            self._meta = bytearray()

    def data(self, piece: memoryview) -> None:
        """Take some bytes of the member."""
        self._hash.update(piece)
        if self._in_meta and self._meta is not None:
            self._meta += piece

    def end(self) -> None:
        """Take note that the member is whole."""
        if not self._folder:
            self._bytes += self._size
            self._files.append(Entry(path=self._path.encode(), size=self._size, sha256=self._hash.hexdigest()))

    def _parsed_meta(self) -> dict[str, Any]:
        if self._meta is None:
            raise ArchiveRefused("meta_missing", "there is no meta.json in the top folder")
        meta = parse_meta(bytes(self._meta))
        if meta is None:
            raise ArchiveRefused("bad_meta", "meta.json is no JSON object in UTF-8")
        return meta


def parse_meta(data: bytes) -> dict[str, Any] | None:
    """Return the object in a ``meta.json``, or ``None`` when it is none."""
    try:
        meta = json.loads(data.decode())
    except (ValueError, RecursionError):
        return None
    return meta if isinstance(meta, dict) else None


def commit_of(meta: dict[str, Any]) -> str | None:
    """Return the commit that made an episode, or ``None`` when it is unstamped."""
    version = meta.get("code_version")
    commit = version.get("commit") if isinstance(version, dict) else None
    return commit if is_commit(commit) else None


def host_of(meta: dict[str, Any]) -> str | None:
    """Return the host that an episode says it is of."""
    host = meta.get("host_id")
    return host if isinstance(host, str) and host else None
