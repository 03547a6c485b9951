"""What a whole raft snapshot is: a gzipped tar whose sums agree and that is sealed to its very end.

Servers have answered 200 with a snapshot that was cut short; nothing less than all of this is believed.
"""

import gzip
import hashlib
import json
import zlib
from typing import BinaryIO

import msgspec

from dce_play.backup.errors import BackupError, ErrorId
from dce_play.backup.streams import CHUNK_BYTES, PulledSink
from dce_play.backup.tar_stream import Member, members
from dce_play.source import JsonValue

META, STATE, SUMS, SEAL = "meta.json", "state.bin", "SHA256SUMS", "SHA256SUMS.sealed"
_LARGEST_SMALL_BYTES = 1 << 20
"""Of every member but the state."""


class SnapshotFacts(msgspec.Struct, frozen=True, kw_only=True):
    """What a whole snapshot holds."""

    index: int
    """The raft index."""
    files: int

    def counts(self) -> dict[str, JsonValue]:
        """Return the manifest's ``counts``."""
        return {"index": self.index, "files": self.files}


def checking(*, name: str = "raft-snapshot") -> PulledSink[SnapshotFacts]:
    """Return a sink that reads a snapshot while it passes; its ``result`` says what it holds."""
    return PulledSink(read_snapshot, name=name)


def read_snapshot(stream: BinaryIO) -> SnapshotFacts:
    """Read a snapshot to its end.

    Raises: BackupError: ``truncated``, when its end or a member is missing; ``verify-failed``, when a sum differs.
    """
    digests: dict[str, str] = {}
    small: dict[str, bytes] = {}
    try:
        with gzip.GzipFile(fileobj=stream) as plain:
            for member in members(plain):
                digests[member.name], small[member.name] = _take(member)
            while plain.read(CHUNK_BYTES):
                pass
    except EOFError as error:
        raise BackupError(ErrorId.TRUNCATED, f"the snapshot is cut off: {error}") from error
    except (gzip.BadGzipFile, zlib.error) as error:
        raise BackupError(ErrorId.VERIFY_FAILED, f"the snapshot is damaged: {error}") from error
    missing = [name for name in (META, STATE, SUMS, SEAL) if name not in digests]
    if missing:
        raise BackupError(ErrorId.TRUNCATED, f"the snapshot lacks {', '.join(missing)}")
    if not small[SEAL]:
        raise BackupError(ErrorId.TRUNCATED, f"{SEAL} is empty")
    _compare(_sums(small[SUMS]), digests)
    return SnapshotFacts(index=_index(small[META]), files=len(digests))


def _take(member: Member) -> tuple[str, bytes]:
    digest = hashlib.sha256()
    kept = bytearray()
    for data in member.chunks():
        digest.update(data)
        if member.name != STATE:
            kept += data
            if len(kept) > _LARGEST_SMALL_BYTES:
                raise BackupError(ErrorId.VERIFY_FAILED, f"{member.name} is larger than a snapshot's can be")
    return digest.hexdigest(), bytes(kept)


def _sums(text: bytes) -> dict[str, str]:
    """Return the sums by name. A line is the sum, blanks, and the name, as ``sha256sum`` writes it."""
    lines = (line.split(maxsplit=1) for line in text.decode("utf-8", "replace").splitlines() if line.strip())
    return {parts[1].strip().lstrip("*"): parts[0].lower() for parts in lines if len(parts) == 2}


def _compare(announced: dict[str, str], found: dict[str, str]) -> None:
    for name in (META, STATE):
        if name not in announced:
            raise BackupError(ErrorId.VERIFY_FAILED, f"{SUMS} has no sum for {name}")
    for name, digest in announced.items():
        if found.get(name) != digest:
            raise BackupError(ErrorId.VERIFY_FAILED, f"the sum of {name} in the snapshot differs")


def _index(meta: bytes) -> int:
    try:
        index = json.loads(meta)["Index"]
    except (ValueError, KeyError, TypeError, RecursionError) as error:
        raise BackupError(ErrorId.VERIFY_FAILED, f"{META} cannot be read") from error
    if not isinstance(index, int):
        raise BackupError(ErrorId.VERIFY_FAILED, f"{META} has no index")
    return index
