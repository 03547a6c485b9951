"""A Discord on 127.0.0.1 that answers many clients at once, and each in the hostile way of its scenario.

The scenario is the first part of a request's path. What is not hostile is answered from a simulated world. Hostile
answers are bytes, with pauses between them, so that they can break HTTP itself.
"""

import json
import socket
import socketserver
import threading
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from typing import Any
from urllib.parse import parse_qsl

from dce_play.discord.simulator.api import Call, answer
from dce_play.discord.simulator.refusals import UNAUTHORIZED, SimulatedRefusal
from dce_play.discord.simulator.world import World


@dataclass(frozen=True, slots=True, kw_only=True)
class Good:
    """What an honest Discord would answer, for a hostile one to start from."""

    path: str
    """Below the base, without its query."""
    query: Mapping[str, str]
    status: int
    body: Any

    @property
    def raw(self) -> bytes:
        return json.dumps(self.body).encode()


Act = Callable[[Good], Iterable[bytes | float]]
"""What is sent in place of the answer: bytes, and pauses in seconds. Then the connection is closed."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Hostility:
    """What a server does to the requests whose path matches, from the one after ``skip`` on, so many times."""

    path: str
    act: Act
    skip: int = 0
    times: int | None = None


@dataclass(slots=True)
class _Client:
    """One scenario: what is to be done, and how often its path was asked for."""

    hostilities: tuple[Hostility, ...]
    seen: list[int] = field(default_factory=list)
    met: int = 0

    def act_for(self, path: str) -> Act | None:
        for number, hostility in enumerate(self.hostilities):
            if not fnmatchcase(path, hostility.path):
                continue
            position = self.seen[number] - hostility.skip
            self.seen[number] += 1
            if position >= 0 and (hostility.times is None or position < hostility.times):
                self.met += 1
                return hostility.act
        return None


class HostileDiscord:
    """The server: ``add`` a scenario, give its ``base_url`` to a client."""

    def __init__(self, world: World) -> None:
        self.world = world
        self.port = 0
        self.stopped = threading.Event()
        self._clients: dict[str, _Client] = {}
        self._lock = threading.Lock()

    def add(self, name: str, *hostilities: Hostility) -> None:
        """Let clients of this name meet these hostilities, the first that applies."""
        self._clients[name] = _Client(hostilities, [0] * len(hostilities))

    def base_url(self, name: str) -> str:
        return f"http://127.0.0.1:{self.port}/{name}/api/v10"

    def met(self, name: str) -> int:
        """Return how many requests of a scenario were answered in the hostile way."""
        return self._clients[name].met

    def reply(self, target: str, authorization: str) -> tuple[Good, Act | None]:
        """Return the honest answer, and what to do instead."""
        whole, _, query_text = target.partition("?")
        name, _, path = whole.removeprefix("/").partition("/api/v10")
        query = dict(parse_qsl(query_text))
        status, body = self._honest(path, query, authorization)
        client = self._clients.get(name)
        with self._lock:
            act = None if client is None else client.act_for(path)
        return Good(path=path, query=query, status=status, body=body), act

    def _honest(self, path: str, query: Mapping[str, str], authorization: str) -> tuple[int, object]:
        bot = {self.world.user_token: False, f"Bot {self.world.bot_token}": True}.get(authorization)
        if bot is None:
            return 401, UNAUTHORIZED.body
        try:
            return 200, answer(Call(world=self.world, bot=bot, query=query), path)
        except SimulatedRefusal as refused:
            return refused.status, refused.body


def http(status: int | str, body: bytes | str, *headers: str, kind: str = "application/json") -> bytes:
    """Return one whole answer. A header of ours that names ``Content-Length`` replaces the true one."""
    content = body.encode() if isinstance(body, str) else body
    told = [f"Content-Type: {kind}", *headers]
    if not any(each.lower().startswith(("content-length", "transfer-encoding")) for each in headers):
        told.append(f"Content-Length: {len(content)}")
    line = status if isinstance(status, str) else f"{status} Whatever"
    head = "".join(f"{each}\r\n" for each in (f"HTTP/1.1 {line}", *told))
    return head.encode("latin-1") + b"\r\n" + content


@contextmanager
def running_hostile_discord(world: World) -> Iterator[HostileDiscord]:
    """Serve until the block ends."""
    discord = HostileDiscord(world)

    class Server(socketserver.ThreadingTCPServer):
        daemon_threads = True
        request_queue_size = 512
        allow_reuse_address = True

    with Server(("127.0.0.1", 0), _handler(discord)) as server:
        discord.port = server.server_address[1]
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True)
        thread.start()
        try:
            yield discord
        finally:
            discord.stopped.set()
            server.shutdown()
            thread.join()


def _handler(discord: HostileDiscord) -> type[socketserver.StreamRequestHandler]:
    class Handler(socketserver.StreamRequestHandler):
        disable_nagle_algorithm = True

        def handle(self) -> None:
            with suppress(OSError, ValueError):
                while self._one():
                    pass

        def _one(self) -> bool:
            line = self.rfile.readline(65_536).decode("latin-1")
            if not line:
                return False
            authorization = ""
            while (header := self.rfile.readline(65_536).decode("latin-1").strip()) != "":
                name, _, value = header.partition(":")
                if name.lower() == "authorization":
                    authorization = value.strip()
            good, act = discord.reply(line.split()[1], authorization)
            if act is None:
                self.wfile.write(http(good.status, good.raw))
                return True
            for part in act(good):
                if isinstance(part, float):
                    if discord.stopped.wait(part):
                        break
                else:
                    self.wfile.write(part)
            with suppress(OSError):
                self.connection.shutdown(socket.SHUT_WR)
            return False

    return Handler
