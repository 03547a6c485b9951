"""A fast HTTP server of made-up files on loopback: ``GET /KIB/NAME`` answers with that many KiB, no two names alike.

Run: ``python -m benchmarks.file_server``; prints its port.
"""

import asyncio
import re
from hashlib import sha256

_NOISE = sha256(b"noise").digest() * 32
_ASKED = re.compile(rb"GET /([0-9]+)/([^ ]+) HTTP/1\.1\r\n")
_PIECE = 1 << 20


class _Connection(asyncio.Protocol):
    def __init__(self) -> None:
        self._text = b""
        self._transport: asyncio.Transport
        self._may_write = asyncio.Event()
        self._may_write.set()
        self._tasks: set[asyncio.Task[None]] = set()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport

    def pause_writing(self) -> None:
        self._may_write.clear()

    def resume_writing(self) -> None:
        self._may_write.set()

    def data_received(self, data: bytes) -> None:
        self._text += data
        while b"\r\n\r\n" in self._text:
            head, _, self._text = self._text.partition(b"\r\n\r\n")
            task = asyncio.ensure_future(self._answer(head + b"\r\n"))
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)

    async def _answer(self, head: bytes) -> None:
        asked = _ASKED.match(head)
        if asked is None:
            self._transport.write(b"HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n")
            return
        size = int(asked[1]) * 1024
        told = f"HTTP/1.1 200 OK\r\nContent-Type: application/octet-stream\r\nContent-Length: {size}\r\n\r\n"
        self._transport.write(told.encode() + sha256(asked[2]).digest())
        left = size - 32
        while left > 0:
            await self._may_write.wait()
            piece = min(left, _PIECE)
            self._transport.write((_NOISE * (piece // len(_NOISE) + 1))[:piece])
            left -= piece


async def _serve() -> None:
    server = await asyncio.get_running_loop().create_server(_Connection, "127.0.0.1", 0)
    print(server.sockets[0].getsockname()[1], flush=True)
    await server.serve_forever()


if __name__ == "__main__":
    asyncio.run(_serve())
