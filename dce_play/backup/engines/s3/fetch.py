"""Objects fetched ahead of the tar: small ones by many threads and whole, large ones as a stream when their turn comes.

What is handed on was checked: length, checksum header, md5 where the ETag is one. An object that arrives damaged or
cut is fetched again before it counts as a failure.
"""

import hashlib
import threading
from collections import deque
from collections.abc import Callable, Iterator
from concurrent.futures import Future
from contextlib import suppress
from queue import Empty, SimpleQueue
from typing import Self

import msgspec

from dce_play.system.s3.bucket import Bucket
from dce_play.system.s3.errors import S3Corrupt, S3NotFound, S3Unreachable
from dce_play.system.s3.objects import Listed, ObjectFacts

SMALL_BYTES = 256 << 10
"""Objects up to this size are held whole."""
_THREADS = 16
_AHEAD = 64
"""How many objects are under way at once: at most 16 MiB."""
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
    """Fetches what it is given, in that order. ``with Fetcher(bucket) as fetcher:`` ends its threads."""

    def __init__(self, bucket: Bucket) -> None:
        self._bucket = bucket
        self._jobs: SimpleQueue[tuple[Listed, Future[Fetched]] | None] = SimpleQueue()

    def __enter__(self) -> Self:
        # Daemons, because whoever stops us must not wait for a store that says nothing for a minute.
        for number in range(_THREADS):
            threading.Thread(target=self._work, name=f"fetch-{number}", daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        with suppress(Empty):
            while True:
                self._jobs.get_nowait()
        for _each in range(_THREADS):
            self._jobs.put(None)

    def _work(self) -> None:
        while (job := self._jobs.get()) is not None:
            listed, future = job
            try:
                future.set_result(self._small(listed))
            except BaseException as error:  # noqa: BLE001  # it is raised where the object's turn comes
                future.set_exception(error)

    def _submit(self, listed: Listed) -> "Future[Fetched]":
        future: Future[Fetched] = Future()
        self._jobs.put((listed, future))
        return future

    def fetch(self, listed: Iterator[Listed]) -> Iterator[Fetched]:
        """Yield the objects in the order given.

        Raises: S3Error, for the first one that cannot be had.
        """
        waiting: deque[Listed | Future[Fetched]] = deque()
        for each in listed:
            small = each.size_bytes <= SMALL_BYTES
            waiting.append(self._submit(each) if small else each)
            if len(waiting) >= _AHEAD:
                yield _taken(waiting.popleft())
        while waiting:
            yield _taken(waiting.popleft())

    def _small(self, listed: Listed) -> Fetched:
        return again(lambda: self._once(listed))

    def _once(self, listed: Listed) -> Fetched:
        try:
            with self._bucket.open(listed.key, version_id=listed.version_id) as stream:
                if stream.facts.size_bytes > SMALL_BYTES:  # it grew since it was listed
                    return Fetched(listed=listed, facts=None, data=None, sha256="")
                data = b"".join(stream.chunks())
                return Fetched(listed=listed, facts=stream.facts, data=data, sha256=hashlib.sha256(data).hexdigest())
        except S3NotFound:
            return Fetched(listed=listed, facts=None, data=None, sha256="", is_gone=True)


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


def _taken(waiting: "Listed | Future[Fetched]") -> Fetched:
    if isinstance(waiting, Future):
        return waiting.result()
    return Fetched(listed=waiting, facts=None, data=None, sha256="")
