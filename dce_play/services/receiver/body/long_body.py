"""A long body's way into the application: read in large pieces, around the parser.

h11 copies what it is fed four times, and the application gets what one read brought. A body of known length needs no
parser: its bytes are read into one buffer, and handed on when that is full, when the body ends, or after a moment.
h11 is told how many went past it, so that it finds the body's end and the connection stays in use.
"""

import asyncio

import h11
from h11._readers import ContentLengthReader
from uvicorn.protocols.http.flow_control import FlowControl
from uvicorn.protocols.http.h11_impl import RequestResponseCycle

PIECE_BYTES = 512 << 10
MOST_WAITING_BYTES = 1 << 20
"""Nothing more is read while the application leaves so much lying."""
HAND_OVER_S = 0.02
_FOR_ALL = bytearray(128 << 10)
"""What the parser is to see goes through here: filled and emptied in one turn of the loop, whosever it is."""


class LongBody:
    """The body that is read on one connection, if one is."""

    def __init__(self, loop: asyncio.AbstractEventLoop, conn: h11.Connection, flow: FlowControl) -> None:
        self._loop = loop
        self._conn = conn
        self._flow = flow
        self._piece = bytearray()
        self._filled = 0
        self._cycle: RequestResponseCycle | None = None
        self._timer: asyncio.TimerHandle | None = None

    def room(self, cycle: RequestResponseCycle | None) -> memoryview:
        """Return where the next bytes go: within a long body no more room than it has bytes left."""
        reader = self._reader(cycle)
        if reader is None or not (self._piece or reader._remaining >= PIECE_BYTES):  # noqa: SLF001 - see `took`
            self.hand_over()
            self._cycle, self._piece = None, bytearray()
            return memoryview(_FOR_ALL)
        self._cycle = cycle
        self._piece = self._piece or bytearray(PIECE_BYTES)
        return memoryview(self._piece)[self._filled : self._filled + reader._remaining]  # noqa: SLF001 - see `took`

    def took(self, count: int) -> bytes | None:
        """Take note of bytes that came; return what the parser must see: of a long body nothing, or its end."""
        reader = self._reader(self._cycle)
        if reader is None:
            return bytes(memoryview(_FOR_ALL)[:count])
        # h11 has no public way to be told that a body's bytes were taken.
        reader._remaining -= count  # noqa: SLF001
        self._filled += count
        if not reader._remaining:  # noqa: SLF001
            self.hand_over()
            self._cycle, self._piece = None, bytearray()
            return b""
        if self._filled == PIECE_BYTES:
            self.hand_over()
        elif self._timer is None:
            self._timer = self._loop.call_later(HAND_OVER_S, self.hand_over)
        return None

    def hand_over(self) -> None:
        """Give the application what lies here."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        cycle = self._cycle
        if cycle is None or not self._filled:
            return
        cycle.body += memoryview(self._piece)[: self._filled]
        self._filled = 0
        if len(cycle.body) >= MOST_WAITING_BYTES:
            self._flow.pause_reading()
        cycle.message_event.set()

    def _reader(self, cycle: RequestResponseCycle | None) -> ContentLengthReader | None:
        """Return h11's reader of a body whose bytes may go past it."""
        reader = self._conn._reader  # noqa: SLF001 - see `took`
        if cycle is None or self._conn.their_state is not h11.SEND_BODY or not isinstance(reader, ContentLengthReader):
            return None
        return None if cycle.response_started or self._conn.they_are_waiting_for_100_continue else reader
