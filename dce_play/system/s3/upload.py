"""An upload in parts, each sent with its SHA-256, that shows nothing before it is complete."""

import base64
import hashlib
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from dce_play.system.s3.errors import S3NotFound, translated

SMALLEST_PART_BYTES = 5 << 20
"""Every part of an upload but the last has at least this. Source: the S3 API, UploadPart."""
MOST_PARTS = 10_000


def part_bytes(size_bytes: int, least_bytes: int) -> int:
    """Return how large the parts of an upload must be, so that there are not too many."""
    return max(least_bytes, -(-size_bytes // MOST_PARTS))


@dataclass(frozen=True, slots=True, kw_only=True)
class Part:
    """One part that the store has. ``sha256`` is base64."""

    number: int
    etag: str
    sha256: str
    size_bytes: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Unfinished:
    """An upload in parts that somebody has begun."""

    key: str
    upload_id: str
    begun: datetime
    """In UTC, with its zone."""


class Upload:
    """An upload in parts. Leaving it without ``complete`` or ``abort`` leaves parts behind that nobody sees."""

    def __init__(
        self, client: Any, where: str, bucket: str, key: str, upload_id: str, parts: tuple[Part, ...] = ()
    ) -> None:
        self.key = key
        self.upload_id = upload_id
        self.parts = parts
        self._where = where
        self._client = client
        self._names = {"Bucket": bucket, "Key": key, "UploadId": upload_id}

    def add(self, data: bytes) -> Part:
        """Send the next part; it is durable when this returns."""
        digest = sha256_base64(data)
        number = len(self.parts) + 1
        with translated(self._where):
            said = self._client.upload_part(**self._names, PartNumber=number, Body=data, ChecksumSHA256=digest)
        part = Part(number=number, etag=said["ETag"], sha256=digest, size_bytes=len(data))
        self.parts = (*self.parts, part)
        return part

    def complete(self, *, only_new: bool) -> None:
        """Make the parts one object.

        Raises: S3Taken, when it must be new and is not (the parts stay until ``abort``); S3Error.
        """
        only = {"IfNoneMatch": "*"} if only_new else {}
        parts = [{"PartNumber": each.number, "ETag": each.etag, "ChecksumSHA256": each.sha256} for each in self.parts]
        with translated(self._where):
            self._client.complete_multipart_upload(**self._names, MultipartUpload={"Parts": parts}, **only)

    def abort(self) -> None:
        """Throw the parts away."""
        with suppress(S3NotFound), translated(self._where):
            self._client.abort_multipart_upload(**self._names)

    def checksum(self) -> str:
        """Return the checksum that the finished object must have: the SHA-256 of the parts' SHA-256s, and how many.

        Source: the S3 API, "composite checksums".
        """
        digests = b"".join(base64.b64decode(each.sha256) for each in self.parts)
        return f"{sha256_base64(digests)}-{len(self.parts)}"


def sha256_base64(data: bytes) -> str:
    """Return the checksum as the S3 API spells it."""
    return base64.b64encode(hashlib.sha256(data).digest()).decode()
