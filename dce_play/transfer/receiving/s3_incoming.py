"""Archives on their way into a bucket: in parts that nobody sees before the last step gives them their name."""

import math
from collections.abc import Container
from contextlib import suppress
from datetime import UTC, datetime

from dce_play.system.s3.bucket import Bucket
from dce_play.system.s3.errors import S3Error
from dce_play.system.s3.upload import Upload

MOST_PARTS = 9_000
LARGEST_COPY_BYTES = 5 << 30
"""The most that one copy inside a bucket takes. Source: the S3 API, CopyObject."""


def part_bytes(size: int, part_size: int) -> int:
    """Return how large the parts of an archive must be, so that there are not too many."""
    return max(part_size, math.ceil(size / MOST_PARTS))


def sweep_parts(bucket: Bucket, prefix: str, keep_s: float, *, kept: Container[str]) -> list[str]:
    """Throw away the parts of uploads that were begun long ago and are not ``kept`` by id; return their keys."""
    swept = []
    for each in bucket.unfinished(prefix):
        age_s = (datetime.now(UTC) - each.begun).total_seconds()
        if age_s > keep_s and each.upload_id not in kept:
            bucket.resume(each.key, each.upload_id, ()).abort()
            swept.append(each.key)
    return swept


class S3Incoming:
    """An archive that goes straight to its own key. One that fits into a part is put at once."""

    def __init__(self, bucket: Bucket, key: str, part_size: int) -> None:
        self._bucket = bucket
        self._key = key
        self._part_size = part_size
        self._buffer = bytearray()
        self._upload: Upload | None = None
        self._done = False

    def write(self, data: bytes | memoryview, /) -> None:
        self._buffer += data
        while len(self._buffer) > self._part_size:
            self._send(self._part_size)

    def finish(self) -> None:
        if self._upload is not None and self._buffer:
            self._send(len(self._buffer))

    def take_name(self) -> None:
        """Make it an object of its key.

        Raises: S3Taken, when there is one; S3Error.
        """
        if self._upload is None:
            self._bucket.put(self._key, bytes(self._buffer), only_new=True, content_type="application/zstd")
        else:
            self._upload.complete(only_new=True)
        self._done = True

    def discard(self) -> None:
        if self._upload is not None and not self._done:
            self._done = True
            with suppress(S3Error):  # what stays is seen by nobody, and swept
                self._upload.abort()

    def _send(self, count: int) -> None:
        if self._upload is None:
            self._upload = self._bucket.begin(self._key, content_type="application/zstd")
        self._upload.add(bytes(self._buffer[:count]))
        del self._buffer[:count]


class S3Whole:
    """A resumable upload that is whole, under a key of its own; its name is given by a copy inside the bucket."""

    def __init__(self, bucket: Bucket, source: str, key: str, *, size: int, part_size: int) -> None:
        self._bucket = bucket
        self._source = source
        self._key = key
        self._size = size
        self._part_size = part_size

    def write(self, _data: bytes | memoryview, /) -> None:
        raise ValueError("the archive is whole")

    def finish(self) -> None:
        """Do nothing: it is durable."""

    def take_name(self) -> None:
        """Copy it to its key.

        Raises: S3Taken, when there is one; S3Error.
        """
        if self._size <= LARGEST_COPY_BYTES:
            self._bucket.copy(self._source, self._key, only_new=True)
            return
        again = S3Incoming(self._bucket, self._key, part_bytes(self._size, self._part_size))
        try:
            with self._bucket.open(self._source) as stream:
                for chunk in stream.chunks():
                    again.write(chunk)
            again.finish()
            again.take_name()
        finally:
            again.discard()

    def discard(self) -> None:
        """Do nothing: it goes with its upload."""
