"""What a store says of an object, and reading one with its length, checksum header and md5 looked at."""

import hashlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC
from typing import Any

from dce_play.system.counted import counted
from dce_play.system.s3.errors import S3Corrupt, S3Unreachable, translated

CHUNK_BYTES = 256 << 10


@dataclass(frozen=True, slots=True, kw_only=True)
class Listed:
    """One object as a listing tells it. ``version_id`` is empty where versions were not asked for."""

    key: str
    size_bytes: int
    etag: str
    last_modified: str
    version_id: str = ""
    is_latest: bool = True


@dataclass(frozen=True, slots=True, kw_only=True)
class ObjectFacts:
    """What the store says of one object. ``sha256`` is base64, with ``-N`` behind it for an upload of N parts."""

    size_bytes: int
    etag: str
    content_type: str
    metadata: Mapping[str, str]
    last_modified: str
    version_id: str
    sha256: str
    etag_is_md5: bool
    """Whether the ETag is the md5 of the bytes: not for uploads in parts, nor under the cloud's own keys."""


class ObjectStream:
    """An open object: its facts, and its bytes once."""

    def __init__(self, where: str, facts: ObjectFacts, body: Any) -> None:
        self.facts = facts
        self._where = where
        self._body = body

    def chunks(self) -> Iterator[bytes]:
        """Yield the bytes; after the last one, length, checksum header and md5 have been found equal.

        Raises: S3Unreachable, when the connection ends early; S3Corrupt.
        """
        md5 = hashlib.md5(usedforsecurity=False) if self.facts.etag_is_md5 else None
        count = 0
        while True:
            with translated(self._where):
                chunk: bytes = self._body.read(CHUNK_BYTES)
            if not chunk:
                break
            count += len(chunk)
            if md5 is not None:
                md5.update(chunk)
            yield chunk
        check_bytes(self._where, self.facts, count, md5)


def check_bytes(where: str, facts: ObjectFacts, count: int, md5: "hashlib._Hash | None") -> None:
    """Hold so many bytes with this md5 against what was announced.

    Raises: S3Unreachable, when the length differs; S3Corrupt, when the md5 does.
    """
    if count != facts.size_bytes:
        raise S3Unreachable(where, f"{count} of {counted(facts.size_bytes, 'byte')} came")
    if md5 is not None and md5.hexdigest() != facts.etag:
        raise S3Corrupt(where, "the md5 of the bytes is not the ETag")


def listed_from(said: Mapping[str, Any]) -> Listed:
    """Return one entry of a listing's answer."""
    return Listed(
        key=said["Key"],
        size_bytes=said["Size"],
        etag=said["ETag"].strip('"'),
        last_modified=_utc(said["LastModified"]),
        version_id=said.get("VersionId", ""),
        is_latest=said.get("IsLatest", True),
    )


def facts_from(said: Mapping[str, Any]) -> ObjectFacts:
    """Return what an answer to GET or HEAD says of its object."""
    etag = said.get("ETag", "").strip('"')
    own_keys = said.get("ServerSideEncryption", "AES256") != "AES256" or "SSECustomerAlgorithm" in said
    return ObjectFacts(
        size_bytes=said["ContentLength"],
        etag=etag,
        content_type=said.get("ContentType", ""),
        metadata=said.get("Metadata", {}),
        last_modified=_utc(said["LastModified"]),
        version_id=said.get("VersionId") or "",
        sha256=said.get("ChecksumSHA256", ""),
        etag_is_md5=not own_keys and len(etag) == 32 and not set(etag) - set("0123456789abcdef"),
    )


def _utc(moment: Any) -> str:
    text: str = moment.astimezone(UTC).isoformat()
    return text.replace("+00:00", "Z")
