"""One HTTP exchange over ASGI: the request's headers, its body as it comes, its one answer.

A refusal goes out before the rest of the body was read; then the rest is read and thrown away for a moment, because
a connection that is closed on unread bytes is reset, and the reset can overtake the answer.
Source: RFC 9112, 9.6.
"""

import asyncio
import json
import secrets
from collections.abc import AsyncIterator, Mapping
from contextlib import suppress
from typing import Any

from starlette.datastructures import Headers
from starlette.types import Message, Receive, Scope, Send

from dce_play.services.receiver.body.long_body import WAITING
from dce_play.services.receiver.body.pieces import Piece, Waiting
from dce_play.services.receiver.refusals import Refused
from dce_play.system.counted import counted
from dce_play.transfer.receiving.config import Limits
from dce_play.transfer.wire import PROBLEM_TYPE

DISCARD_BYTES = 1 << 20
DISCARD_S = 2.0
RATE_FROM_S = 30.0


class Disconnected(Exception):
    """The other side has gone away, or has to go away for a newer request."""


class Exchange:
    """One request and its answer."""

    def __init__(self, scope: Scope, receive: Receive, send: Send) -> None:
        self.scope = scope
        self.headers = Headers(scope=scope)
        self.method: str = scope["method"]
        self.segments = tuple(scope["raw_path"].decode("ascii", errors="replace").split("/")[1:])
        """The path's parts as they were sent, not decoded."""
        self.status = 0
        self.code = ""
        self.received_bytes = 0
        self.body_read = self._bodiless()
        self._receive = receive
        self._send = send

    def header(self, name: str) -> str | None:
        """Return a header's value; of one that came several times, all of them with commas between.

        Raises: Refused, when it is not plain text.
        """
        values = self.headers.getlist(name)
        if any(not value.isprintable() for value in values):
            raise Refused("bad_header", f"{name} is not plain text")
        return ", ".join(values) if values else None

    async def body(self, limits: Limits) -> AsyncIterator[Piece]:
        """Give the body piece by piece; whoever takes them frees them.

        Raises: Refused ``too_slow``, when it pauses or drips; Disconnected, when it ends before its time.
        """
        loop = asyncio.get_running_loop()
        waited_s = 0.0
        more = True
        while more:
            asked = loop.time()
            try:
                async with asyncio.timeout(limits.idle_timeout_s):
                    message, pieces = await self._receive_pieces()
            except TimeoutError as error:
                raise Refused("too_slow", f"nothing came for {limits.idle_timeout_s:g} s") from error
            waited_s += loop.time() - asked
            if message["type"] == "http.disconnect":
                raise Disconnected
            self.received_bytes += sum(map(len, pieces))
            if waited_s > RATE_FROM_S and self.received_bytes < limits.min_rate * waited_s:
                raise Refused("too_slow", f"less than {counted(limits.min_rate, 'byte')} a second")
            more = message.get("more_body", False)
            self.body_read = not more
            for piece in pieces:
                yield piece

    async def answer(self, status: int, body: Mapping[str, Any] | None, headers: Mapping[str, str]) -> None:
        """Send the answer; ``None`` for one without a body."""
        data = b"" if body is None else json.dumps(body, ensure_ascii=False).encode() + b"\n"
        out = {"X-Request-Id": self.scope["state"]["request_id"], **headers}
        if body is not None:
            out = {"Content-Type": "application/json", "Content-Length": str(len(data))} | out
        elif status != 204:
            out.setdefault("Content-Length", "0")
        if not self.body_read:
            out["Connection"] = "close"
        self.status = status
        start: Message = {
            "type": "http.response.start",
            "status": status,
            "headers": [(name.lower().encode(), value.encode("latin-1", "replace")) for name, value in out.items()],
        }
        await self._send(start)
        if not self.body_read:
            await self._send({"type": "http.response.body", "body": data, "more_body": True})
            await self._discard()
            data = b""
        await self._send({"type": "http.response.body", "body": data, "more_body": False})

    async def refuse(self, refused: Refused) -> None:
        """Send a refusal."""
        self.code = refused.code
        await self.answer(refused.status, refused.body, {"Content-Type": PROBLEM_TYPE, **refused.headers})

    def _bodiless(self) -> bool:
        return self.headers.get("content-length", "0") == "0" and "transfer-encoding" not in self.headers

    async def _discard(self) -> None:
        left = DISCARD_BYTES
        with suppress(TimeoutError):
            async with asyncio.timeout(DISCARD_S):
                while left > 0:
                    message, pieces = await self._receive_pieces()
                    if message["type"] == "http.disconnect" or not message.get("more_body", False):
                        return
                    left -= sum(map(len, pieces))
                    for piece in pieces:
                        piece.free()

    async def _receive_pieces(self) -> tuple[Message, list[Piece]]:
        """Return the next message, and what it brings of the body: first what came through the parser, if any did."""
        message = await self._receive()
        body: bytes = message.get("body", b"")
        waiting: Waiting | None = self.scope["state"].get(WAITING)
        return message, ([Piece(body)] if body else []) + (waiting.take() if waiting is not None else [])


def new_request_id() -> str:
    """Return a name for one request, for its answer and our log."""
    return secrets.token_hex(8)
