"""A real receiver process for tests, and what a lab host needs to talk to it by hand."""

import base64
import hashlib
import http.client
import io
import json
import os
import re
import signal
import socket
import ssl
import subprocess
import sys
import tarfile
import time
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import zstandard

from tests.support import forked

COMMIT = "0123456789abcdef0123456789abcdef01234567"
START_S = 20.0
STOP_S = 30.0
OPEN = "[version_gate]\nenabled = false\n"
"""A gate that lets everything through."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """What a receiver answered."""

    status: int
    headers: dict[str, str]
    """By lower-case name."""
    body: bytes

    @property
    def json(self) -> dict[str, Any]:
        found: dict[str, Any] = json.loads(self.body)
        return found

    @property
    def code(self) -> str:
        return str(self.json["code"]) if self.body else ""


def archive(
    episode_id: str = "ep-1", files: Mapping[str, bytes] | None = None, *, commit: str | None = COMMIT, level: int = 3
) -> bytes:
    """Return a sound archive with a ``meta.json``."""
    meta = {"code_version": {"commit": commit}, "host_id": "told-by-meta"}
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w", format=tarfile.USTAR_FORMAT) as tar:
        for name, data in {"meta.json": json.dumps(meta).encode(), **(files or {})}.items():
            info = tarfile.TarInfo(f"{episode_id}/{name}")
            info.size = len(data)
            tar.addfile(info, io.BytesIO(data))
    return zstandard.ZstdCompressor(level=level).compress(out.getvalue())


def repr_digest(data: bytes) -> str:
    """Return the ``Repr-Digest`` of a body."""
    return f"sha-256=:{base64.b64encode(hashlib.sha256(data).digest()).decode()}:"


def parse_answer(raw: bytes) -> Answer:
    """Return the last answer in what came over a raw connection."""
    while raw.startswith(b"HTTP/1.1 100"):
        raw = raw.partition(b"\r\n\r\n")[2]
    head, _, body = raw.partition(b"\r\n\r\n")
    lines = head.decode().split("\r\n")
    headers = {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in lines[1:])}
    return Answer(status=int(lines[0].split()[1]), headers=headers, body=body)


@dataclass(slots=True, kw_only=True)
class Receiver:
    """One receiver process with its folder. Used with ``with``; ``start`` and ``stop`` may be called again."""

    folder: Path
    config: str = OPEN
    """What ``receive.toml`` has besides the folder, the addresses and no least free space."""
    tls: str = ""
    environment: Mapping[str, str] = field(default_factory=dict)
    wrapper: tuple[str, ...] = ()
    """A program that runs it, such as strace."""
    limits: str = ""
    top: str = ""
    min_free: str = "0"
    admin_bind: str = "127.0.0.1:0"
    process: "subprocess.Popen[bytes] | None" = None
    port: int = 0
    admin_port: int = 0
    token: str = ""
    ssl_context: ssl.SSLContext | None = None

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(
        self, _kind: type[BaseException] | None, _error: BaseException | None, _trace: TracebackType | None
    ) -> None:
        if self.process is not None and self.process.poll() is None:
            self.process.kill()
            self.process.wait(STOP_S)

    @property
    def toml(self) -> Path:
        return self.folder / "receive.toml"

    @property
    def store(self) -> Path:
        return self.folder / "store"

    def write_config(self) -> None:
        bind = f"127.0.0.1:{self.port}"
        top = f'name = "hub"\nstore_dir = "store"\nbind = "{bind}"\nadmin_bind = "{self.admin_bind}"\n{self.top}'
        limits = f"[limits]\nmin_free = {self.min_free}\n{self.limits}"
        self.toml.write_text(f"{top}\n{self.tls}\n{limits}\n{self.config}", encoding="utf-8")

    def start(self, *, host: str = "lab-1") -> None:
        """Start it, with a token for a host, and wait until it listens."""
        self.write_config()
        if not self.token:
            self.token = self.add_token(host)
        log = (self.folder / "log").open("ab")
        start = log.tell()
        argv = [*self.wrapper, sys.executable, "-m", "dce_play", "receive", "run", "--config", str(self.toml)]
        environment = {k: v for k, v in os.environ.items() if k not in {"NOTIFY_SOCKET", "JOURNAL_STREAM"}}
        self.process = forked.start(argv, stderr=log, env={**environment, **self.environment}, cwd=self.folder)
        log.close()
        deadline = time.monotonic() + START_S
        while True:
            text = (self.folder / "log").read_bytes()[start:].decode()
            ready = re.search(r"receive\.ready bind=\S+:(\d+)(?: admin=\S+:(\d+))?", text)
            if ready:
                self.port, self.admin_port = int(ready[1]), int(ready[2] or 0)
                return
            assert self.process.poll() is None, text
            assert time.monotonic() < deadline, text
            time.sleep(0.02)

    def stop(self) -> int:
        """Stop it as systemd does; return its exit code."""
        assert self.process is not None
        self.process.send_signal(signal.SIGTERM)
        return self.process.wait(STOP_S)

    def kill(self) -> None:
        """Kill it."""
        assert self.process is not None
        self.process.kill()
        self.process.wait(STOP_S)

    def log(self) -> str:
        return (self.folder / "log").read_text(encoding="utf-8")

    def run(self, *arguments: str, environment: Mapping[str, str] | None = None) -> "subprocess.CompletedProcess[str]":
        """Run a ``receive`` verb on this receiver's configuration."""
        argv = [sys.executable, "-m", "dce_play", "receive", *arguments, "--config", str(self.toml)]
        return forked.run(
            argv,
            capture_output=True,
            text=True,
            timeout=60,
            cwd=self.folder,
            env={**os.environ, **self.environment, **(environment or {})},
        )

    def verb(self, *arguments: str) -> tuple[int, dict[str, Any]]:
        """Run a verb with ``--format json``; return its exit code and its object."""
        done = self.run(*arguments, "--format", "json")
        assert done.stdout.count("\n") == 1, done.stderr
        return done.returncode, json.loads(done.stdout)

    def add_token(self, host: str, *more: str) -> str:
        """Return a new token."""
        done = self.run("token", "add", host, "--format", "json", *more)
        assert done.returncode == 0, done.stderr
        return str(json.loads(done.stdout)["token"])

    def request(
        self,
        method: str,
        path: str,
        headers: Mapping[str, str] | None = None,
        body: bytes | None = None,
        *,
        token: str | None = None,
        context: ssl.SSLContext | None = None,
        timeout_s: float = 20.0,
    ) -> Answer:
        """Make one request with the token; ``""`` for none."""
        tls = context or self.ssl_context
        if tls is not None:
            connection: http.client.HTTPConnection = http.client.HTTPSConnection(
                "localhost", self.port, timeout=timeout_s, context=tls
            )
        else:
            connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=timeout_s)
        shown = self.token if token is None else token
        out = {"Authorization": f"Bearer {shown}"} if shown else {}
        try:
            with suppress(ConnectionError):  # an early answer was sent before the reset, and can be read
                connection.request(method, path, body=body, headers=out | dict(headers or {}))
            answer = connection.getresponse()
            found = {name.lower(): value for name, value in answer.getheaders()}
            return Answer(status=answer.status, headers=found, body=answer.read())
        finally:
            connection.close()

    def put(self, episode_id: str, data: bytes, headers: Mapping[str, str | None] | None = None, **more: Any) -> Answer:
        """PUT an archive; a header that is ``None`` is left out."""
        return self.request("PUT", f"/v1/episodes/{episode_id}", offer_headers(data, headers), data, **more)

    def admin(self, path: str, headers: Mapping[str, str] | None = None) -> Answer:
        """GET from the admin listener."""
        connection = http.client.HTTPConnection("127.0.0.1", self.admin_port, timeout=20)
        connection.request("GET", path, headers=dict(headers or {}))
        answer = connection.getresponse()
        found = {name.lower(): value for name, value in answer.getheaders()}
        got = Answer(status=answer.status, headers=found, body=answer.read())
        connection.close()
        return got

    def await_running(self, count: int) -> None:
        """Wait until the receiver has taken so many uploads in hand, and the locks that they need."""
        deadline = time.monotonic() + 15
        while f"dce_receive_inflight {count}.0" not in self.admin("/metrics").body.decode():
            assert time.monotonic() < deadline, "no upload is in hand"
            time.sleep(0.05)
        time.sleep(0.5)  # an upload is counted just before it takes its lock

    def raw(self, data: bytes, *, timeout_s: float = 20.0, half_close: bool = False) -> bytes:
        """Send bytes over a plain connection; return all that comes until the other side closes."""
        with self.connect(timeout_s=timeout_s) as connection:
            connection.sendall(data)
            if half_close:
                connection.shutdown(socket.SHUT_WR)
            return read_all(connection)

    def connect(self, *, timeout_s: float = 20.0) -> socket.socket:
        """Return a plain connection."""
        return socket.create_connection(("127.0.0.1", self.port), timeout=timeout_s)

    def rows(self) -> list[dict[str, Any]]:
        """Return the lines of the index."""
        path = self.store / "index.jsonl"
        return [json.loads(line) for line in path.read_text().splitlines()] if path.exists() else []


def read_all(connection: socket.socket) -> bytes:
    """Return all that comes until the other side closes."""
    parts = []
    try:
        while part := connection.recv(1 << 16):
            parts.append(part)
    except ConnectionResetError:
        pass
    return b"".join(parts)


def offer_headers(data: bytes, headers: Mapping[str, str | None] | None = None) -> dict[str, str]:
    """Return the headers of a PUT of an archive, with some replaced or left out."""
    whole: dict[str, str | None] = {
        "Content-Type": "application/zstd",
        "Repr-Digest": repr_digest(data),
        "X-Cis490-Code-Commit": COMMIT,
        **(headers or {}),
    }
    return {name: value for name, value in whole.items() if value is not None}
