"""The simulator's side of HTTP: who may ask, how fast, what goes wrong, and the answer's bytes."""

import asyncio
import contextlib
import json
import math
from collections import deque
from collections.abc import Awaitable, Callable, MutableMapping
from dataclasses import dataclass
from typing import Any, assert_never
from urllib.parse import parse_qsl, unquote

from dce_play.discord.simulator.api import Call, answer, bucket_of
from dce_play.discord.simulator.cdn import MediaServer
from dce_play.discord.simulator.faults import (
    Dripping,
    Dropped,
    Faults,
    FaultScript,
    Garbage,
    Lengthened,
    Other,
    Page,
    RateLimited,
    Slow,
    Status,
    Truncated,
)
from dce_play.discord.simulator.limits import RateLimiter, RateLimits
from dce_play.discord.simulator.refusals import UNAUTHORIZED, SimulatedRefusal
from dce_play.discord.simulator.reply import Reply
from dce_play.discord.simulator.world import World
from dce_play.system.clock import Clock

API = "/api/v10"
CONTROL = "/_simulator/grow"
EXPIRE = "/_simulator/expire"
REFRESH = "/attachments/refresh-urls"
_REFRESHED_AT_ONCE = 50

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


class Application:
    """An ASGI application that answers as a world's Discord."""

    def __init__(
        self, world: World, /, *, faults: Faults, limits: RateLimits, clock: Clock, media: MediaServer | None = None
    ) -> None:
        self.seen: deque[Seen] = deque(maxlen=200_000)
        self._world = world
        self._media = media
        self._limiter = RateLimiter(limits, clock)
        self._script = FaultScript(faults)
        self._transports: dict[object, asyncio.Transport] = {}

    def expire(self) -> None:
        """End the signatures of all URLs that were given so far."""
        if self._media is not None:
            self._media.signatures.expire()

    def media_file(self, path: str) -> bytes | None:
        """Return the bytes that are served under a path of the media servers, or ``None``."""
        found = self._media.find(unquote(path)) if self._media is not None else None
        return None if found is None else found.data

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
        if raw in {CONTROL, EXPIRE}:
            await _send(send, await self._control(raw, scope["method"], receive))
            return
        asked = dict(scope["headers"])
        bot = self._who(asked.get(b"authorization", b"").decode("latin-1"))
        path = raw.removeprefix(API)
        whole = f"{path}?{query}" if query else path
        trouble = self._script.next(whole)
        if self._media is not None and not raw.startswith(f"{API}/"):
            reply = self._media.answer(scope["method"], raw, query, asked)
        elif self._media is not None and path == REFRESH and scope["method"] == "POST":
            reply = _refreshed(self._media, await _body(receive), bot)
        else:
            reply = self._answer(scope["method"], raw, query, bot)
        match trouble:
            case None:
                pass
            case Status(status=status, message=message, headers=headers):
                reply = Reply(status=status, body={"message": message, "code": 0}, headers=headers)
            case RateLimited() as limited:
                reply = _limited(limited)
            case Garbage(body=body):
                reply = Reply(status=200, body=body)
            case Page(status=status, body=body):
                reply = Reply(status=status, body=body, content_type="text/html")
            case Other(status=status, body=other):
                reply = Reply(status=status, body=other)
            case Slow(delay_s=delay_s):
                await asyncio.sleep(delay_s)
            case Lengthened(by=by):
                data = reply.data
                data = data[:by] if by < 0 else data + b"\0" * by
                reply = Reply(status=reply.status, body=data, content_type=reply.content_type)
            case Dripping() as dripping:
                self.seen.append(Seen(method=scope["method"], path=whole, status=reply.status, bot=bot))
                await _drip(send, reply, dripping)
                return
            case Dropped() | Truncated():
                self.seen.append(Seen(method=scope["method"], path=whole, status=0, bot=bot))
                share = trouble.share if isinstance(trouble, Truncated) else 0.0
                await self._cut(scope, reply, share, receive, send)
                return
            case _:
                assert_never(trouble)
        self.seen.append(Seen(method=scope["method"], path=whole, status=reply.status, bot=bot))
        await _send(send, reply)

    def _answer(self, method: str, raw: str, query: str, bot: bool | None) -> Reply:
        if not raw.startswith(f"{API}/"):
            return Reply(status=404, body={"message": "404: Not Found", "code": 0})
        if method != "GET":
            return Reply(status=405, body={"message": "405: Method Not Allowed", "code": 0})
        if bot is None:
            return Reply(status=401, body=UNAUTHORIZED.body)
        path = raw.removeprefix(API)
        verdict = self._limiter.admit(bucket_of(path))
        if not verdict.allowed:
            slow_down = RateLimited(retry_after_s=verdict.retry_after_s, everywhere=verdict.everywhere)
            refused = _limited(slow_down, header=str(math.ceil(verdict.retry_after_s)))
            return Reply(status=429, body=refused.body, headers=(*refused.headers, *verdict.headers))
        try:
            body = answer(Call(world=self._world, bot=bot, query=dict(parse_qsl(query))), path)
        except SimulatedRefusal as refused:
            return Reply(status=refused.status, body=refused.body, headers=verdict.headers)
        self._grow_while_reading(path)
        if self._media is not None and path.endswith("/messages") and isinstance(body, list):
            body = [self._media.signatures.sign_message(each) for each in body]
        return Reply(status=200, body=body, headers=verdict.headers)

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

    async def _control(self, path: str, method: str, receive: Receive) -> Reply:
        if method != "POST":
            return Reply(status=405, body={"message": "405: Method Not Allowed", "code": 0})
        text = await _body(receive)
        if path == EXPIRE:
            self.expire()
            return Reply(status=200, body={"expired": self._media is not None})
        try:
            messages = int(json.loads(text)["messages"])
        except (ValueError, TypeError, KeyError):
            return Reply(status=400, body={"message": 'expected {"messages": 12}', "code": 0})
        self._world.grow(messages)
        return Reply(status=200, body={"messages": messages})

    async def _cut(self, scope: Scope, reply: Reply, share: float, receive: Receive, send: Send) -> None:
        transport = self._transports[tuple(scope["client"])]
        if share:
            data = reply.data
            await send(reply.start(len(data)))
            await send({"type": "http.response.body", "body": data[: int(len(data) * share)], "more_body": True})
            transport.close()
        else:
            transport.abort()
        with contextlib.suppress(asyncio.TimeoutError):
            async with asyncio.timeout(1.0):
                while (await receive())["type"] != "http.disconnect":
                    pass


def _limited(trouble: RateLimited, *, header: str | None = None) -> Reply:
    body = {
        "message": "You are being rate limited.",
        "retry_after": trouble.retry_after_s,
        "global": trouble.everywhere,
    }
    text = trouble.header if header is None else header
    return Reply(status=429, body=body, headers=() if text is None else (("Retry-After", text),))


def _refreshed(media: MediaServer, text: bytes, bot: bool | None) -> Reply:
    if bot is None:
        return Reply(status=401, body=UNAUTHORIZED.body)
    try:
        urls = json.loads(text)["attachment_urls"]
    except (ValueError, TypeError, KeyError):
        urls = None
    if not isinstance(urls, list) or len(urls) > _REFRESHED_AT_ONCE or not all(isinstance(each, str) for each in urls):
        return Reply(status=400, body={"message": "Invalid Form Body", "code": 50035})
    pairs = [{"original": url, "refreshed": media.signatures.sign(url)} for url in urls]
    return Reply(status=200, body={"refreshed_urls": pairs})


async def _body(receive: Receive) -> bytes:
    text = b""
    more = True
    while more:
        part = await receive()
        text += part.get("body", b"")
        more = part.get("more_body", False)
    return text


async def _drip(send: Send, reply: Reply, dripping: Dripping) -> None:
    data = reply.data
    await send(reply.start(len(data)))
    for begin in range(0, len(data), dripping.size):
        await send({"type": "http.response.body", "body": data[begin : begin + dripping.size], "more_body": True})
        await asyncio.sleep(dripping.every_s)
    await send({"type": "http.response.body", "body": b""})


async def _send(send: Send, reply: Reply) -> None:
    data = reply.data
    await send(reply.start(len(data)))
    await send({"type": "http.response.body", "body": data})
