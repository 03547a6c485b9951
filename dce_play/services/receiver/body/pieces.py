"""Pieces of a body, in buffers that are used again.

A piece has one owner at a time: the event loop, then the thread that writes it, then whoever verifies it, who frees it.
Memory that is new costs a page fault every 4 KiB, which for a long body is more than hashing it.
"""

import mmap
from collections import deque

BUFFER_BYTES = 1 << 20
_MOST_IDLE = 16
_idle: deque[mmap.mmap] = deque(maxlen=_MOST_IDLE)
"""Buffers that nobody uses. All connections and threads share them; what is one too many goes."""


def take_buffer() -> mmap.mmap:
    """Return a buffer, which begins where a page of memory does. What it holds is of no meaning."""
    try:
        return _idle.pop()
    except IndexError:
        return mmap.mmap(-1, BUFFER_BYTES, flags=mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS)


def give_back(buffer: mmap.mmap) -> None:
    """Let others use a buffer. Nobody may look at it any more."""
    _idle.append(buffer)


class Piece:
    """Some bytes of a body. A piece that is never freed only costs the next one a new buffer."""

    __slots__ = ("_buffer", "data")

    def __init__(self, data: bytes | memoryview, buffer: mmap.mmap | None = None) -> None:
        """``buffer`` is where the data lies, if that is one of ours; it goes back with the piece."""
        self.data = data
        self._buffer = buffer

    def __len__(self) -> int:
        return len(self.data)

    def free(self) -> None:
        """Give its buffer back: its data has been used for all that it is for."""
        buffer, self._buffer, self.data = self._buffer, None, b""
        if buffer is not None:
            give_back(buffer)


class Waiting:
    """Pieces of one request's body that lie until the application takes them. Only for the event loop."""

    def __init__(self) -> None:
        self.bytes = 0
        self._pieces: list[Piece] = []

    def add(self, piece: Piece) -> None:
        """Lay one more there."""
        self._pieces.append(piece)
        self.bytes += len(piece)

    def take(self) -> list[Piece]:
        """Return all that lie there, in their order."""
        pieces, self._pieces, self.bytes = self._pieces, [], 0
        return pieces
