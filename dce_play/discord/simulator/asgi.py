"""The simulator's side of HTTP: who may ask, how fast, what goes wrong, and the answer's bytes."""

import asyncio
import contextlib
import json
import math
from collections import deque
from collections.abc import Awaitable, Callable, MutableMapping
from dataclasses import dataclass
from typing import Any, assert_never
from urllib.parse import parse_qsl

import msgspec

from dce_play.discord.simulator.api import Call, answer, bucket_of
from dce_play.discord.simulator.faults import (
    Dropped,
    Faults,
    FaultScript,
    Garbage,
    Other,
    Page,
    RateLimited,
    Slow,
    Status,
    Truncated,
)
from dce_play.discord.simulator.limits import RateLimiter, RateLimits
from dce_play.discord.simulator.refusals import UNAUTHORIZED, SimulatedRefusal
from dce_play.discord.simulator.world import World
from dce_play.system.clock import Clock

API = "/api/v10"
CONTROL = "/_simulator/grow"

Scope = MutableMapping[str, Any]  # ASGI's own types are these
Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]
Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Seen:
    """One request that was answered, or that was let down on purpose (``status`` 0)."""

    method: str
    path: str
    """Below the base URL, with its query."""
    status: int
    bot: bool | None
    """Whose token it came with; ``None`` for nobody's."""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Answer:
    status: int
    body: object
    headers: tuple[tuple[str, str], ...] = ()
    content_type: str = "application/json"


class Application:
    """An ASGI application that answers as a world's Discord."""

    def __init__(self, world: World, /, *, faults: Faults, limits: RateLimits, clock: Clock) -> None:
        self.seen: deque[Seen] = deque(maxlen=200_000)
        self._world = world
        self._limiter = RateLimiter(limits, clock)
        self._script = FaultScript(faults)
        self._transports: dict[object, asyncio.Transport] = {}

    def play(self, faults: Faults) -> None:
        """Play other faults from now on."""
        self._script = FaultScript(faults)

    def protocol(self) -> type[asyncio.Protocol]:
        """Return the HTTP protocol to serve this application with: it lets faults cut the connection itself."""
        from uvicorn.protocols.http.h11_impl import H11Protocol  # slow to import

        transports = self._transports

        class CuttableProtocol(H11Protocol):
            def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]  # as uvicorn's own
                super().connection_made(transport)
                transports[self.client] = transport

            def connection_lost(self, exc: Exception | None) -> None:
                transports.pop(self.client, None)
                super().connection_lost(exc)

        return CuttableProtocol

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        raw, _, query = (scope.get("raw_path") or scope["path"].encode()).decode("ascii").partition("?")
        query = query or scope["query_string"].decode("ascii")
        if raw == CONTROL:
            await _send(send, await self._control(scope["method"], receive))
            return
        bot = self._who(dict(scope["headers"]).get(b"authorization", b"").decode("latin-1"))
        path = raw.removeprefix(API)
        whole = f"{path}?{query}" if query else path
        trouble = self._script.next(whole)
        reply = self._answer(scope["method"], raw, query, bot)
        match trouble:
            case None:
                pass
            case Status(status=status, message=message, headers=headers):
                reply = _Answer(status=status, body={"message": message, "code": 0}, headers=headers)
            case RateLimited() as limited:
                reply = _limited(limited)
            case Garbage(body=body):
                reply = _Answer(status=200, body=body)
            case Page(status=status, body=body):
                reply = _Answer(status=status, body=body, content_type="text/html")
            case Other(status=status, body=other):
                reply = _Answer(status=status, body=other)
            case Slow(delay_s=delay_s):
                await asyncio.sleep(delay_s)
            case Dropped() | Truncated():
                self.seen.append(Seen(method=scope["method"], path=whole, status=0, bot=bot))
                share = trouble.share if isinstance(trouble, Truncated) else 0.0
                await self._cut(scope, reply, share, receive, send)
                return
            case _:
                assert_never(trouble)
        self.seen.append(Seen(method=scope["method"], path=whole, status=reply.status, bot=bot))
        await _send(send, reply)

    def _answer(self, method: str, raw: str, query: str, bot: bool | None) -> _Answer:
        if not raw.startswith(f"{API}/"):
            return _Answer(status=404, body={"message": "404: Not Found", "code": 0})
        if method != "GET":
            return _Answer(status=405, body={"message": "405: Method Not Allowed", "code": 0})
        if bot is None:
            return _Answer(status=401, body=UNAUTHORIZED.body)
        path = raw.removeprefix(API)
        verdict = self._limiter.admit(bucket_of(path))
        if not verdict.allowed:
            slow_down = RateLimited(retry_after_s=verdict.retry_after_s, everywhere=verdict.everywhere)
            refused = _limited(slow_down, header=str(math.ceil(verdict.retry_after_s)))
            return _Answer(status=429, body=refused.body, headers=(*refused.headers, *verdict.headers))
        try:
            body = answer(Call(world=self._world, bot=bot, query=dict(parse_qsl(query))), path)
        except SimulatedRefusal as refused:
            return _Answer(status=refused.status, body=refused.body, headers=verdict.headers)
        self._grow_while_reading(path)
        return _Answer(status=200, body=body, headers=verdict.headers)

    def _grow_while_reading(self, path: str) -> None:
        count = self._script.faults.live_messages
        if count and path.endswith("/messages"):
            channel = self._world.channel(path.split("/")[2])
            if channel is not None:
                self._world.grow(count, channel_id=channel.channel_id)

    def _who(self, authorization: str) -> bool | None:
        """Return whether this is the bot; ``None`` when it is nobody we know."""
        if authorization == self._world.user_token:
            return False
        return True if authorization == f"Bot {self._world.bot_token}" else None

    async def _control(self, method: str, receive: Receive) -> _Answer:
        if method != "POST":
            return _Answer(status=405, body={"message": "405: Method Not Allowed", "code": 0})
        text = b""
        more = True
        while more:
            part = await receive()
            text += part.get("body", b"")
            more = part.get("more_body", False)
        try:
            messages = int(json.loads(text)["messages"])
        except (ValueError, TypeError, KeyError):
            return _Answer(status=400, body={"message": 'expected {"messages": 12}', "code": 0})
        self._world.grow(messages)
        return _Answer(status=200, body={"messages": messages})

    async def _cut(self, scope: Scope, reply: _Answer, share: float, receive: Receive, send: Send) -> None:
        transport = self._transports[tuple(scope["client"])]
        if share:
            data = _encoded(reply.body)
            await send(_start(reply, len(data)))
            await send({"type": "http.response.body", "body": data[: int(len(data) * share)], "more_body": True})
            transport.close()
        else:
            transport.abort()
        with contextlib.suppress(asyncio.TimeoutError):
            async with asyncio.timeout(1.0):
                while (await receive())["type"] != "http.disconnect":
                    pass


def _limited(trouble: RateLimited, *, header: str | None = None) -> _Answer:
    body = {
        "message": "You are being rate limited.",
        "retry_after": trouble.retry_after_s,
        "global": trouble.everywhere,
    }
    text = trouble.header if header is None else header
    return _Answer(status=429, body=body, headers=() if text is None else (("Retry-After", text),))


async def _send(send: Send, reply: _Answer) -> None:
    data = _encoded(reply.body)
    await send(_start(reply, len(data)))
    await send({"type": "http.response.body", "body": data})


def _start(reply: _Answer, length: int) -> MutableMapping[str, Any]:
    headers = [(b"content-type", reply.content_type.encode()), (b"content-length", str(length).encode())]
    headers += [(name.lower().encode(), value.encode()) for name, value in reply.headers]
    return {"type": "http.response.start", "status": reply.status, "headers": headers}


def _encoded(body: object) -> bytes:
    return body if isinstance(body, bytes) else msgspec.json.encode(body)
