"""A long body's way into the application: read in large pieces, around the parser.

h11 copies what it is fed four times, uvicorn twice more, and the application gets what one read brought. A body of
known length needs no parser: its bytes are read into a buffer. One that is full, or has the body's end, is handed on
itself; what came after a moment is copied. h11 is told how many went past it, so that it finds the body's end and the
connection stays in use.

The body's byte N lies at N modulo ``BUFFER_BYTES`` of a buffer: what belongs at a page of the file lies at one.
"""

import asyncio
import mmap

import h11
from h11._readers import ContentLengthReader
from uvicorn.protocols.http.flow_control import FlowControl
from uvicorn.protocols.http.h11_impl import RequestResponseCycle

from dce_play.services.receiver.body.pieces import BUFFER_BYTES, Piece, Waiting, give_back, take_buffer

LONG_FROM_BYTES = 512 << 10
MOST_WAITING_BYTES = 2 << 20
"""Nothing more is read while the application leaves so much lying."""
HAND_OVER_S = 0.02
WAITING = "long_body"
"""Under this name a request's state has the pieces that wait, once it has a long body."""
_FOR_ALL = bytearray(128 << 10)
"""What the parser is to see goes through here: filled and emptied in one turn of the loop, whosever it is."""


class LongBody:
    """The body that is read on one connection, if one is."""

    def __init__(self, loop: asyncio.AbstractEventLoop, conn: h11.Connection, flow: FlowControl) -> None:
        self._loop = loop
        self._conn = conn
        self._flow = flow
        self._cycle: RequestResponseCycle | None = None
        self._waiting = Waiting()
        self._buffer: mmap.mmap | None = None
        self._begin = self._end = 0
        """What lies in the buffer, and was not handed over."""
        self._timer: asyncio.TimerHandle | None = None

    def room(self, cycle: RequestResponseCycle | None) -> memoryview:
        """Return where the next bytes go: within a long body no more room than it has bytes left."""
        reader = self._reader(cycle)
        if reader is None or cycle is None or not self._goes_past(cycle, reader._remaining):  # noqa: SLF001 - see `took`
            self._leave()
            return memoryview(_FOR_ALL)
        if self._cycle is not cycle:
            self._leave()
            self._enter(cycle, reader._remaining)  # noqa: SLF001 - see `took`
        if self._buffer is None:
            self._buffer = take_buffer()
        return memoryview(self._buffer)[self._end : self._end + reader._remaining]  # noqa: SLF001 - see `took`

    def took(self, count: int) -> bytes | None:
        """Take note of bytes that came; return what the parser must see: of a long body nothing, or its end."""
        reader = self._reader(self._cycle)
        if reader is None:
            return bytes(memoryview(_FOR_ALL)[:count])
        # h11 has no public way to be told that a body's bytes were taken.
        reader._remaining -= count  # noqa: SLF001
        self._end += count
        if not reader._remaining:  # noqa: SLF001
            self._hand_over(whole=True)
            self._leave()
            return b""
        if self._end == BUFFER_BYTES:
            self._hand_over(whole=True)
        elif self._timer is None:
            self._timer = self._loop.call_later(HAND_OVER_S, self.hand_over)
        return None

    def hand_over(self) -> None:
        """Give the application what lies here; what comes next goes behind it."""
        self._hand_over(whole=False)

    def _hand_over(self, *, whole: bool) -> None:
        """Give the application what lies here. ``whole``: nothing comes into this buffer any more."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        if self._cycle is None or self._buffer is None or self._begin == self._end:
            return
        data = memoryview(self._buffer)[self._begin : self._end]
        if whole:
            piece, self._buffer = Piece(data, self._buffer), None
            self._begin = self._end = 0
        else:
            piece, self._begin = Piece(bytes(data)), self._end
        self._waiting.add(piece)
        if self._waiting.bytes >= MOST_WAITING_BYTES:
            self._flow.pause_reading()
        self._cycle.message_event.set()

    def _goes_past(self, cycle: RequestResponseCycle, left: int) -> bool:
        return self._cycle is cycle or left >= LONG_FROM_BYTES

    def _enter(self, cycle: RequestResponseCycle, left: int) -> None:
        length = next(int(value) for name, value in cycle.scope["headers"] if name == b"content-length")
        self._cycle = cycle
        self._waiting = cycle.scope["state"].setdefault(WAITING, Waiting())
        self._begin = self._end = (length - left) % BUFFER_BYTES

    def _leave(self) -> None:
        self.hand_over()
        if self._buffer is not None:
            give_back(self._buffer)
        self._cycle, self._buffer = None, None

    def _reader(self, cycle: RequestResponseCycle | None) -> ContentLengthReader | None:
        """Return h11's reader of a body whose bytes may go past it."""
        reader = self._conn._reader  # noqa: SLF001 - see `took`
        if cycle is None or self._conn.their_state is not h11.SEND_BODY or not isinstance(reader, ContentLengthReader):
            return None
        return None if cycle.response_started or self._conn.they_are_waiting_for_100_continue else reader
