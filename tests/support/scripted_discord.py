"""A Discord on 127.0.0.1 that answers as a test tells it to, over real HTTP."""

import json
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, urlsplit

TOKEN = "a-token.that-nobody.may-see"
BASE = "/api/v10/"


@dataclass(frozen=True, slots=True, kw_only=True)
class Reply:
    """One answer. ``raw`` stands for a body that is no JSON; ``cut_at`` drops the connection inside the body."""

    body: Any = None
    status: int = 200
    headers: Mapping[str, str] = field(default_factory=dict)
    raw: bytes | None = None
    cut_at: int | None = None
    pause_s: float = 0.0
    """Between the bytes of the body."""


Answer = Reply | list[Any] | dict[str, Any] | Callable[[dict[str, str]], Any]
"""A reply, a body for one, or what makes one from the query."""


@dataclass(frozen=True, slots=True)
class Seen:
    """One request."""

    path: str
    query: dict[str, str]
    authorization: str


class ScriptedDiscord:
    """What the server answers, and what it was asked."""

    def __init__(self) -> None:
        self.port = 0
        self.requests: list[Seen] = []
        self._answers: dict[str, list[Answer]] = {"users/@me": [{"id": "1", "username": "ada"}]}
        self._lock = threading.Lock()

    @property
    def base_url(self) -> str:
        return f"http://127.0.0.1:{self.port}{BASE}"

    @property
    def paths(self) -> list[str]:
        return [seen.path for seen in self.requests]

    def on(self, path: str, *answers: Answer) -> None:
        """Give these answers for a path below the API base, one after another; the last one stays."""
        self._answers[path] = list(answers)

    def reply(self, target: str, authorization: str) -> Reply:
        parts = urlsplit(target)
        path, query = parts.path.removeprefix(BASE), dict(parse_qsl(parts.query))
        with self._lock:
            self.requests.append(Seen(path, query, authorization))
            answers = self._answers.get(path)
            if not answers:
                return Reply(status=404, body={"message": "404: Not Found", "code": 0})
            answer = answers.pop(0) if len(answers) > 1 else answers[0]
        made = answer(query) if callable(answer) else answer
        reply = made if isinstance(made, Reply) else Reply(body=made)
        if reply.status >= 300 and reply.body is None and reply.raw is None:
            return replace(reply, body={"message": f"{reply.status}: as Discord says it", "code": 0})
        return reply


@contextmanager
def running_discord() -> Iterator[ScriptedDiscord]:
    """Serve until the block ends."""
    discord = ScriptedDiscord()
    with ThreadingHTTPServer(("127.0.0.1", 0), _handler(discord)) as server:
        server.daemon_threads = True
        discord.port = server.server_port
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True)
        thread.start()
        try:
            yield discord
        finally:
            server.shutdown()
            thread.join()


def _handler(discord: ScriptedDiscord) -> type[BaseHTTPRequestHandler]:
    stopped = threading.Event()

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        wbufsize = -1

        def log_message(self, *_: object) -> None:
            """Say nothing."""

        def do_GET(self) -> None:
            reply = discord.reply(self.path, self.headers.get("Authorization", ""))
            body = reply.raw if reply.raw is not None else json.dumps(reply.body).encode()
            self.send_response(reply.status)
            for name, value in reply.headers.items():
                self.send_header(name, value)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            try:
                if reply.pause_s:
                    for index in range(len(body)):
                        self.wfile.write(body[index : index + 1])
                        self.wfile.flush()
                        stopped.wait(reply.pause_s)
                elif reply.cut_at is not None:
                    self.wfile.write(body[: reply.cut_at])
                    self.close_connection = True
                else:
                    self.wfile.write(body)
            except OSError:
                self.close_connection = True

    return Handler


@dataclass(slots=True, kw_only=True)
class Room:
    """A guild with one channel whose messages answer as Discord's do: newest first, bounded by ``after``."""

    discord: ScriptedDiscord
    message_ids: list[int] = field(default_factory=list)
    guild_id: str = "222"
    channel_id: str = "111"
    channel_type: int = 0
    last_message_id: int | None = None

    def open(self) -> None:
        """Let the server answer for this guild and channel."""
        newest = self.last_message_id or max(self.message_ids, default=None)
        channel = {
            "id": self.channel_id,
            "guild_id": self.guild_id,
            "type": self.channel_type,
            "name": "fixture-room",
            "last_message_id": None if newest is None else str(newest),
        }
        self.discord.on(f"channels/{self.channel_id}", channel)
        self.discord.on(f"guilds/{self.guild_id}", {"id": self.guild_id, "name": "Fixture Guild", "icon": None})
        self.discord.on(f"guilds/{self.guild_id}/channels", [channel])
        self.discord.on(f"guilds/{self.guild_id}/roles", [])
        self.discord.on(f"channels/{self.channel_id}/messages", self.page)

    def page(self, query: dict[str, str]) -> list[dict[str, Any]]:
        limit = int(query["limit"])
        if "after" in query:
            ids = [message_id for message_id in sorted(self.message_ids) if message_id > int(query["after"])][:limit]
        else:
            ids = sorted(self.message_ids)[-limit:]
        return [message(message_id) for message_id in reversed(ids)]


def message(message_id: int, **changes: Any) -> dict[str, Any]:
    """Return a message as Discord describes it."""
    return {
        "id": str(message_id),
        "type": 0,
        "content": f"message {message_id}",
        "timestamp": "2024-01-01T00:00:00.000000+00:00",
        "author": {"id": "9", "username": "bob", "discriminator": "0"},
    } | changes


def replay(recording: Path, discord: ScriptedDiscord) -> None:
    """Answer as a recorded Discord did: lines of ``path``, ``status`` and ``body``."""
    bodies: dict[str, dict[tuple[tuple[str, str], ...], Reply]] = {}
    for line in recording.read_bytes().splitlines():
        recorded = json.loads(line)
        parts = urlsplit(recorded["path"])
        query = tuple(sorted(parse_qsl(parts.query)))
        bodies.setdefault(parts.path.removeprefix(BASE), {})[query] = Reply(
            status=recorded["status"], body=recorded["body"]
        )
    for path, by_query in bodies.items():
        discord.on(path, _recorded(by_query))
        # DCE asks an empty channel for no message, as it believes the channel's own word; we ask.
        if path.startswith("channels/") and f"{path}/messages" not in bodies and path.count("/") == 1:
            discord.on(f"{path}/messages", [])


def _recorded(by_query: dict[tuple[tuple[str, str], ...], Reply]) -> Callable[[dict[str, str]], Reply]:
    missing = Reply(status=500, body={"message": "not in the recording"})
    return lambda query: by_query.get(tuple(sorted(query.items())), missing)
