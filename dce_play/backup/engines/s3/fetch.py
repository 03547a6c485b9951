"""Objects fetched ahead of the tar: small ones many at once and whole, large ones as a stream when their turn comes.

What is handed on was checked: length, checksum header, md5 where the ETag is one. An object that arrives damaged or
cut is fetched again before it counts as a failure.
"""

import hashlib
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from contextlib import suppress

import msgspec

from dce_play.system.s3.bucket import Bucket
from dce_play.system.s3.errors import S3Corrupt, S3NotFound, S3Unreachable
from dce_play.system.s3.objects import Listed, ObjectFacts
from dce_play.system.s3.transfers import Transfer, Transfers

SMALL_BYTES = 256 << 10
"""Objects up to this size are held whole."""
_AHEAD = 64
"""How many objects are under way or wait for their turn: at most 16 MiB."""
_TRIES = 3


class Fetched(msgspec.Struct, frozen=True, kw_only=True):
    """An object whose turn has come. ``data`` is ``None`` for a large one, which is still to be streamed."""

    listed: Listed
    facts: ObjectFacts | None
    data: bytes | None
    sha256: str
    is_gone: bool = False
    """It was listed, and then it was not there."""


class Fetcher:
    """Fetches what it is given, in that order, in one thread."""

    def __init__(self, bucket: Bucket, transfers: Transfers) -> None:
        self._bucket = bucket
        self._transfers = transfers

    def fetch(self, listed: Iterable[Listed]) -> Iterator[Fetched]:
        """Yield the objects in the order given.

        Raises: S3Error, for the first one that cannot be had.
        """
        waiting: deque[tuple[Listed, Transfer | None]] = deque()
        for each in listed:
            waiting.append((each, self._started(each)))
            if len(waiting) >= _AHEAD:
                yield self._taken(*waiting.popleft())
        while waiting:
            yield self._taken(*waiting.popleft())

    def _started(self, listed: Listed) -> Transfer | None:
        if listed.size_bytes > SMALL_BYTES:
            return None
        return self._transfers.start(listed.key, listed.version_id, most_bytes=SMALL_BYTES)

    def _taken(self, listed: Listed, transfer: Transfer | None) -> Fetched:
        if transfer is None:
            return Fetched(listed=listed, facts=None, data=None, sha256="")
        with suppress(S3Corrupt, S3Unreachable):
            received = self._transfers.received(self._bucket.where(listed.key), transfer)
            if received is not None:
                return _whole(listed, *received)
        return again(lambda: self._once(listed))

    def _once(self, listed: Listed) -> Fetched:
        try:
            with self._bucket.open(listed.key, version_id=listed.version_id) as stream:
                if stream.facts.size_bytes > SMALL_BYTES:  # it grew since it was listed
                    return Fetched(listed=listed, facts=None, data=None, sha256="")
                return _whole(listed, stream.facts, b"".join(stream.chunks()))
        except S3NotFound:
            return Fetched(listed=listed, facts=None, data=None, sha256="", is_gone=True)


def _whole(listed: Listed, facts: ObjectFacts, data: bytes) -> Fetched:
    return Fetched(listed=listed, facts=facts, data=data, sha256=hashlib.sha256(data).hexdigest())


def again(once: Callable[[], Fetched]) -> Fetched:
    """Try several times to get an object whole.

    Raises: S3Error.
    """
    for _ in range(_TRIES - 1):
        try:
            return once()
        except (S3Corrupt, S3Unreachable):
            continue
    return once()
