"""What a whole dump is: a gzipped tar with its metadata, read to its last byte, its documents counted."""

import gzip
import json
import zlib
from collections.abc import Iterator, Mapping
from typing import BinaryIO

import msgspec

from dce_play.backup.errors import BackupError, ErrorId
from dce_play.backup.streams import CHUNK_BYTES, PulledSink
from dce_play.backup.tar_stream import Member, members
from dce_play.source import JsonValue

_METADATA = "metadata.json"
_LARGEST_METADATA_BYTES = 1 << 20


class DumpFacts(msgspec.Struct, frozen=True, kw_only=True):
    """What a whole dump holds."""

    indexes: dict[str, int]
    """The documents of each index."""
    server_version: str

    @property
    def documents(self) -> int:
        return sum(self.indexes.values())

    def counts(self) -> dict[str, JsonValue]:
        """Return the manifest's ``counts``."""
        return {"documents": self.documents, "indexes": len(self.indexes)}


def checking(expected: Mapping[str, JsonValue] | None = None) -> PulledSink[DumpFacts]:
    """Return a sink that reads a dump while it passes, and compares it with a manifest's counts at the end."""

    def read(stream: BinaryIO) -> DumpFacts:
        found = read_dump(stream)
        if found.indexes and expected is not None:
            for key, value in found.counts().items():
                if expected.get(key, value) != value:
                    raise BackupError(
                        ErrorId.VERIFY_FAILED, f"the dump holds {value} {key}, its manifest says {expected[key]}"
                    )
        return found

    return PulledSink(read, name="dump-check")


def read_dump(stream: BinaryIO) -> DumpFacts:
    """Read a dump to its end.

    Raises: BackupError: ``truncated``, when its end or its metadata are missing; ``verify-failed``.
    """
    indexes: dict[str, int] = {}
    metadata: bytes | None = None
    try:
        with gzip.GzipFile(fileobj=stream) as plain:
            for member in members(plain):
                parts = member.name.removeprefix("./").strip("/").split("/")
                if parts == [_METADATA]:
                    metadata = _small(member)
                elif len(parts) >= 2 and parts[0] == "indexes":
                    documents = _lines(member.chunks()) if parts[2:] == ["documents.jsonl"] else 0
                    indexes[parts[1]] = indexes.get(parts[1], 0) + documents
            while plain.read(CHUNK_BYTES):
                pass
    except EOFError as error:
        raise BackupError(ErrorId.TRUNCATED, f"the dump is cut off: {error}") from error
    except (gzip.BadGzipFile, zlib.error) as error:
        raise BackupError(ErrorId.VERIFY_FAILED, f"the dump is damaged: {error}") from error
    if metadata is None:
        raise BackupError(ErrorId.TRUNCATED, f"the dump has no {_METADATA}")
    return DumpFacts(indexes=indexes, server_version=_version(metadata))


def _small(member: Member) -> bytes:
    if member.size_bytes > _LARGEST_METADATA_BYTES:
        raise BackupError(ErrorId.VERIFY_FAILED, f"{member.name} is larger than a dump's can be")
    return b"".join(member.chunks())


def _lines(chunks: Iterator[bytes]) -> int:
    """Count lines, a last one without its line feed too."""
    count, last = 0, b"\n"
    for chunk in chunks:
        count += chunk.count(b"\n")
        last = chunk[-1:]
    return count + (last != b"\n")


def _version(metadata: bytes) -> str:
    try:
        found = json.loads(metadata)
    except (ValueError, RecursionError) as error:
        raise BackupError(ErrorId.VERIFY_FAILED, f"{_METADATA} cannot be read") from error
    version = found.get("dbVersion") if isinstance(found, dict) else None
    return version if isinstance(version, str) else ""
