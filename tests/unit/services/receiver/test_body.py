"""What waits of a body while nobody takes it: so much, and then nothing more is read."""

import asyncio
import mmap
import os
import socket
import threading
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from types import SimpleNamespace
from typing import Any

import h11
from uvicorn.protocols.http.flow_control import FlowControl

from dce_play.services.receiver.body import long_body, pieces, work
from dce_play.services.receiver.body.long_body import LongBody
from dce_play.services.receiver.body.pieces import BUFFER_BYTES, Piece, give_back, take_buffer
from dce_play.services.receiver.body.work import Pieces, RunningCheck
from dce_play.transfer.archive_check import ArchiveCheck, ArchiveLimits


def test_a_piece_beyond_what_may_wait_for_the_disk_waits_itself() -> None:
    async def run() -> list[bool]:
        body = Pieces(asyncio.get_running_loop())
        assert await body.put(Piece(bytes(work.MOST_WAITING_BYTES - 1)))
        last = asyncio.ensure_future(body.put(Piece(b"x")))
        await asyncio.sleep(0)
        waited = [last.done()]
        body.end()
        thread = threading.Thread(target=body.work, args=(lambda _: None,))
        thread.start()
        waited.append(await last)
        thread.join(10)
        return waited

    assert asyncio.run(run()) == [False, True]


def test_nothing_more_is_read_while_so_much_lies_at_the_application() -> None:
    async def run() -> list[bool]:
        async with _long_body(8 * BUFFER_BYTES) as (body, cycle, transport):
            reading = []
            for size in (long_body.MOST_WAITING_BYTES - BUFFER_BYTES, BUFFER_BYTES - 1, 1):
                _bring(body, cycle, bytes(size))
                body.hand_over()
                reading.append(transport.is_reading())
            return reading

    assert asyncio.run(run()) == [True, True, False]


def test_a_body_is_whole_however_its_bytes_come() -> None:
    sent = os.urandom(3 * BUFFER_BYTES + 777)

    async def run() -> list[Piece]:
        async with _long_body(len(sent), parsed=sent[:5000]) as (body, cycle, _):
            at = 5000
            for size in (70_000, 1, BUFFER_BYTES // 2, BUFFER_BYTES, len(sent)):
                _bring(body, cycle, sent[at : at + size])
                at += size
                body.hand_over()
            taken: list[Piece] = cycle.scope["state"][long_body.WAITING].take()
            return taken

    brought = asyncio.run(run())
    assert b"".join(bytes(piece.data) for piece in brought) == sent[5000:]
    at = 5000
    for piece in brought:
        if isinstance(piece.data, memoryview):
            assert bytes(memoryview(_buffer_of(piece))[at % BUFFER_BYTES :][: len(piece)]) == bytes(piece.data)
        at += len(piece)
    assert sum(isinstance(piece.data, memoryview) for piece in brought) == 4


def test_a_buffer_is_used_again_when_its_piece_is_freed_and_not_before() -> None:
    pieces._idle.clear()
    buffer = take_buffer()
    piece = Piece(memoryview(buffer)[:10], buffer)
    assert take_buffer() is not buffer
    piece.free()
    piece.free()
    assert take_buffer() is buffer
    assert take_buffer() is not buffer


def test_so_many_buffers_are_kept_for_later() -> None:
    pieces._idle.clear()
    for buffer in [take_buffer() for _ in range(pieces._MOST_IDLE + 5)]:
        give_back(buffer)
    assert len(pieces._idle) == pieces._MOST_IDLE


def test_a_body_is_never_further_ahead_of_its_check_than_so_many_pieces() -> None:
    begun, goes_on = threading.Event(), threading.Event()

    class Slow(ArchiveCheck):
        def feed(self, data: bytes | memoryview) -> None:  # noqa: ARG002 - as the check has it
            begun.set()
            goes_on.wait(30)

    check = RunningCheck(Slow("ep-1", ArchiveLimits()))
    fed: list[int] = []

    def feed_all() -> None:
        for size in (8 << 20, *[1] * 49):
            check.feed(Piece(bytes(size)))
            fed.append(size)

    feeder = threading.Thread(target=feed_all)
    feeder.start()
    assert begun.wait(30)
    while check._side is None or not check._side._changed._waiters:  # type: ignore[attr-defined]
        time.sleep(0.001)  # until it has to wait
    lay = len(fed)
    goes_on.set()
    feeder.join(30)
    assert lay == work.MOST_UNVERIFIED + 1  # and one that is being verified
    assert len(fed) == 50


@asynccontextmanager
async def _long_body(size: int, *, parsed: bytes = b"") -> AsyncIterator[tuple[LongBody, Any, asyncio.Transport]]:
    """Give a connection's body, of which so much went through the parser already, its request, and its transport."""
    ours, theirs = socket.socketpair()
    with theirs:
        loop = asyncio.get_running_loop()
        transport, _ = await loop.create_connection(asyncio.Protocol, sock=ours)
        conn = h11.Connection(h11.SERVER)
        conn.receive_data(b"PUT / HTTP/1.1\r\nHost: x\r\nContent-Length: %d\r\n\r\n" % size + parsed)
        conn.next_event()
        if parsed:
            conn.next_event()
        scope = {"headers": [(b"content-length", b"%d" % size)], "state": {}}
        cycle: Any = SimpleNamespace(scope=scope, message_event=asyncio.Event(), response_started=False)
        yield LongBody(loop, conn, FlowControl(transport)), cycle, transport
        transport.close()


def _bring(body: LongBody, cycle: Any, data: bytes) -> None:
    """Let bytes come in, as much at a time as there is room for."""
    while data:
        room = body.room(cycle)
        count = min(len(room), len(data))
        room[:count] = data[:count]
        body.took(count)
        data = data[count:]


def _buffer_of(piece: Piece) -> mmap.mmap:
    assert piece._buffer is not None
    return piece._buffer
