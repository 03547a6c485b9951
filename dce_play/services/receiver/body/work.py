"""A body's work: written and hashed in one thread, verified in another, while the event loop receives it.

The loop hands pieces over and waits when too many lie there; the thread takes them in their order. Memory stays flat,
and when the last byte has come almost all is done.
"""

import asyncio
import hashlib
import queue
from collections.abc import Callable
from typing import Protocol

from dce_play.services.receiver.body.pieces import Piece
from dce_play.system.side_thread import SideThread
from dce_play.transfer.archive_check import ArchiveCheck, CheckedArchive
from dce_play.transfer.refused import ArchiveRefused

MOST_WAITING_BYTES = 4 << 20
MOST_UNVERIFIED = 4
"""Pieces that wait to be verified."""
_BESIDE_FROM_BYTES = 4 << 20


class Sink(Protocol):
    """Where the bytes go."""

    def write(self, data: bytes | memoryview, /) -> None:
        """Take the next bytes. They may be others when it returns: what is to be kept is copied."""


class RunningCheck:
    """The hash and the check of one archive, as far as it has come. A long one is checked in a thread of its own."""

    def __init__(self, check: ArchiveCheck) -> None:
        self.at = 0
        self.blind = False
        """It has not seen all bytes, and tells nothing of the archive."""
        self._check = check
        self._hash = hashlib.sha256()
        self._refused: ArchiveRefused | None = None
        self._side: SideThread[Piece] | None = None

    def feed(self, piece: Piece) -> None:
        """Take the next bytes, and free them when they are verified.

        A broken rule is told at the end: bytes damaged on the way break rules too, and only the digest of all of them
        tells that from an archive that is bad at its source.
        """
        size = len(piece)
        if self.blind:
            piece.free()
        else:
            self._hash.update(piece.data)
            if self._side is None and self.at + size > _BESIDE_FROM_BYTES:
                self._side = SideThread(self._verify, most_waiting=MOST_UNVERIFIED)
            if self._side is not None:
                self._side.put(piece)
            else:
                self._verify(piece)
        self.at += size

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

    def _verify(self, piece: Piece) -> None:
        if self._refused is None:
            try:
                self._check.feed(piece.data)
            except ArchiveRefused as error:
                self._refused = error
        piece.free()


class Pieces:
    """Pieces of a body between the event loop and one thread. After ``end`` the thread sees no more."""

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self._loop = loop
        self._queue: queue.SimpleQueue[Piece | None] = queue.SimpleQueue()
        self._waiting_bytes = 0
        self._room = asyncio.Event()
        self._room.set()
        self.gone = False
        """The thread takes no more: it has failed."""

    async def put(self, piece: Piece) -> bool:
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

    def work(self, take: Callable[[Piece], None]) -> None:
        """Take all pieces in their order. For the thread."""
        try:
            while (piece := self._queue.get()) is not None:
                size = len(piece)
                take(piece)
                self._loop.call_soon_threadsafe(self._took, size)
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

    def take(piece: Piece) -> None:
        sink.write(piece.data)
        check.feed(piece)

    pieces.work(take)
