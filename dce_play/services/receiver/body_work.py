"""A body's work: hashed, written and verified in one thread while the event loop receives it.

The loop hands pieces over and waits when too many lie there; the thread takes them in their order. Memory stays flat,
and when the last byte has come almost all is done.
"""

import asyncio
import hashlib
import queue
import threading
from collections.abc import Callable
from typing import Protocol

from dce_play.transfer.archive_check import ArchiveCheck, CheckedArchive
from dce_play.transfer.refused import ArchiveRefused

MOST_WAITING_BYTES = 2 << 20
_SIDE_FROM_BYTES = 4 << 20
_SIDE_PIECES = 4


class Sink(Protocol):
    """Where the bytes go."""

    def write(self, data: bytes, /) -> None:
        """Take the next bytes."""


class RunningCheck:
    """The hash and the check of one archive, as far as it has come."""

    def __init__(self, check: ArchiveCheck) -> None:
        self.at = 0
        self.blind = False
        """It has not seen all bytes, and tells nothing of the archive."""
        self._check = check
        self._hash = hashlib.sha256()
        self._refused: ArchiveRefused | None = None

    def feed(self, data: bytes) -> None:
        """Take the next bytes.

        A broken rule is told at the end: bytes damaged on the way break rules too, and only the digest of all of them
        tells that from an archive that is bad at its source.
        """
        self.hash(data)
        self.verify(data)

    def hash(self, data: bytes) -> None:
        """Take the next bytes into the digest; ``verify`` has to see them too."""
        self.at += len(data)
        if not self.blind:
            self._hash.update(data)

    def verify(self, data: bytes) -> None:
        """Take the next bytes into the check; ``hash`` has to see them too."""
        if self.blind or self._refused is not None:
            return
        try:
            self._check.feed(data)
        except ArchiveRefused as error:
            self._refused = error

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
        if self._refused is not None:
            raise self._refused
        return self._check.finish()


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


class _SideThread:
    """Does one thing with pieces, in their order, beside the thread that brings them."""

    def __init__(self, work: Callable[[bytes], None]) -> None:
        self._work = work
        self._queue: queue.Queue[bytes | None] = queue.Queue(maxsize=_SIDE_PIECES)
        self._error: BaseException | None = None
        self._thread = threading.Thread(target=self._run, name="verify", daemon=True)
        self._thread.start()

    def put(self, piece: bytes) -> None:
        """Hand over a piece; waits while too many lie there."""
        self._queue.put(piece)

    def end(self) -> None:
        """Wait until all is done.

        Raises: whatever the work raised.
        """
        self._queue.put(None)
        self._thread.join()
        if self._error is not None:
            raise self._error

    def _run(self) -> None:
        while (piece := self._queue.get()) is not None:
            if self._error is None:
                try:
                    self._work(piece)
                except BaseException as error:  # noqa: BLE001 - told by `end`, in the thread that waits
                    self._error = error


def take_all(pieces: Pieces, sink: Sink, check: RunningCheck) -> None:
    """Write and verify all pieces. For the thread.

    Writing and hashing what came is one core's work, unpacking and hashing what it holds another's: a long body gets
    a second thread. Raises: OSError.
    """
    side: _SideThread | None = None
    taken = 0

    def take(piece: bytes) -> None:
        nonlocal side, taken
        taken += len(piece)
        if side is None and taken > _SIDE_FROM_BYTES and not check.blind:
            side = _SideThread(check.verify)
        if side is not None:
            side.put(piece)
        sink.write(piece)
        check.hash(piece)
        if side is None:
            check.verify(piece)

    try:
        pieces.work(take)
    finally:
        if side is not None:
            side.end()
