"""What waits of a body while nobody takes it: so much, and then nothing more is read."""

import asyncio
import socket
import threading
from types import SimpleNamespace
from typing import Any

import h11
from uvicorn.protocols.http.flow_control import FlowControl

from dce_play.services.receiver.body import long_body, work
from dce_play.services.receiver.body.long_body import PIECE_BYTES, LongBody
from dce_play.services.receiver.body.work import Pieces


def test_a_piece_beyond_what_may_wait_for_the_disk_waits_itself() -> None:
    async def run() -> list[bool]:
        pieces = Pieces(asyncio.get_running_loop())
        assert await pieces.put(bytes(work.MOST_WAITING_BYTES - 1))
        last = asyncio.ensure_future(pieces.put(b"x"))
        await asyncio.sleep(0)
        waited = [last.done()]
        pieces.end()
        thread = threading.Thread(target=pieces.work, args=(lambda _: None,))
        thread.start()
        waited.append(await last)
        thread.join(10)
        return waited

    assert asyncio.run(run()) == [False, True]


def test_nothing_more_is_read_while_so_much_lies_at_the_application() -> None:
    async def run() -> list[bool]:
        ours, theirs = socket.socketpair()
        with theirs:
            loop = asyncio.get_running_loop()
            transport, _ = await loop.create_connection(asyncio.Protocol, sock=ours)
            conn = h11.Connection(h11.SERVER)
            conn.receive_data(b"PUT / HTTP/1.1\r\nHost: x\r\nContent-Length: %d\r\n\r\n" % (8 * PIECE_BYTES))
            conn.next_event()
            cycle: Any = SimpleNamespace(body=b"", message_event=asyncio.Event(), response_started=False)
            body = LongBody(loop, conn, FlowControl(transport))
            reading = []
            for size in (*[PIECE_BYTES] * (long_body.MOST_WAITING_BYTES // PIECE_BYTES - 1), PIECE_BYTES - 1, 1):
                assert len(body.room(cycle)) >= size
                body.took(size)
                body.hand_over()
                reading.append(transport.is_reading())
            transport.close()
        return reading

    assert asyncio.run(run()) == [True, True, False]
