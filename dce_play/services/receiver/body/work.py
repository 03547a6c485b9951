"""A body's work: hashed and written in one thread, verified in another, while the event loop receives it.

The loop hands pieces over and waits when too many lie there; the thread takes them in their order. Memory stays flat,
and when the last byte has come almost all is done.
"""

import asyncio
import hashlib
import queue
from collections.abc import Callable
from typing import Protocol

from dce_play.system.side_thread import SideThread
from dce_play.transfer.archive_check import ArchiveCheck, CheckedArchive
from dce_play.transfer.refused import ArchiveRefused

MOST_WAITING_BYTES = 4 << 20
_BESIDE_FROM_BYTES = 4 << 20


class Sink(Protocol):
    """Where the bytes go."""

    def write(self, data: bytes, /) -> None:
        """Take the next bytes."""


class RunningCheck:
    """The hash and the check of one archive, as far as it has come. A long one is checked in a thread of its own."""

    def __init__(self, check: ArchiveCheck) -> None:
        self.at = 0
        self.blind = False
        """It has not seen all bytes, and tells nothing of the archive."""
        self._check = check
        self._hash = hashlib.sha256()
        self._refused: ArchiveRefused | None = None
        self._side: SideThread | None = None

    def feed(self, data: bytes) -> None:
        """Take the next bytes.

        A broken rule is told at the end: bytes damaged on the way break rules too, and only the digest of all of them
        tells that from an archive that is bad at its source.
        """
        self.at += len(data)
        if self.blind:
            return
        if self._side is None and self.at > _BESIDE_FROM_BYTES:
            self._side = SideThread(self._verify)
        if self._side is not None:
            self._side.put(data)
        self._hash.update(data)
        if self._side is None:
            self._verify(data)

    def skip_to(self, offset: int) -> None:
        """Go on behind bytes that cannot be read now."""
        self.at, self.blind = offset, True

    def sha256(self) -> str:
        """Return the digest of all bytes so far, in hex."""
        return self._hash.hexdigest()

    def finish(self) -> CheckedArchive:
        """Return what the archive holds.

        Raises: ArchiveRefused.
        """
        if self._side is not None:
            self._side.drain()
        if self._refused is not None:
            raise self._refused
        return self._check.finish()

    def _verify(self, data: bytes) -> None:
        if self._refused is None:
            try:
                self._check.feed(data)
            except ArchiveRefused as error:
                self._refused = error


class Pieces:
    """Pieces of a body between the event loop and one thread. After ``end`` the thread sees no more."""

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self._loop = loop
        self._queue: queue.SimpleQueue[bytes | None] = queue.SimpleQueue()
        self._waiting_bytes = 0
        self._room = asyncio.Event()
        self._room.set()
        self.gone = False
        """The thread takes no more: it has failed."""

    async def put(self, piece: bytes) -> bool:
        """Hand over a piece, and wait for room; return whether the thread still takes any. For the loop."""
        self._waiting_bytes += len(piece)
        self._queue.put(piece)
        if self._waiting_bytes >= MOST_WAITING_BYTES and not self.gone:
            self._room.clear()
            await self._room.wait()
        return not self.gone

    def end(self) -> None:
        """Say that there are no more. For the loop."""
        self._queue.put(None)

    def work(self, take: Callable[[bytes], None]) -> None:
        """Take all pieces in their order. For the thread."""
        try:
            while (piece := self._queue.get()) is not None:
                take(piece)
                self._loop.call_soon_threadsafe(self._took, len(piece))
        except BaseException:
            self._loop.call_soon_threadsafe(self._leave)
            raise

    def _took(self, count: int) -> None:
        self._waiting_bytes -= count
        if self._waiting_bytes < MOST_WAITING_BYTES // 2:
            self._room.set()

    def _leave(self) -> None:
        self.gone = True
        self._room.set()


def take_all(pieces: Pieces, sink: Sink, check: RunningCheck) -> None:
    """Write and verify all pieces. For the thread.

    Raises: OSError.
    """

    def take(piece: bytes) -> None:
        check.feed(piece)
        sink.write(piece)

    pieces.work(take)
