"""A small receiver of the tests' own, over real HTTP: it says that it is a stand-in, and can be told to misbehave."""

import base64
import hashlib
import io
import json
import ssl
import tarfile
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from email.utils import formatdate
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import zstandard

from dce_play.transfer.manifest import Entry, empty_folders, manifest_digest

TOKEN = "dcp_00000001_" + "5ec2e7" * 10 + "abcd"


@dataclass(frozen=True, slots=True, kw_only=True)
class Canned:
    """An answer that is given in place of the real one."""

    status: int
    body: bytes = b""
    headers: dict[str, str] = field(default_factory=dict)
    cut: bool = False
    """Close the connection without an answer."""

    @classmethod
    def problem(cls, status: int, code: str, **more: Any) -> "Canned":
        body = {
            "type": f"urn:dce-play:problem:{code}",
            "title": code,
            "status": status,
            "code": code,
            "fix": [],
            **more,
        }
        return cls(status=status, body=json.dumps(body).encode(), headers={"Content-Type": "application/problem+json"})


@dataclass(slots=True)
class StandIn:
    """What the stand-in has stored and seen, and what it is told to answer."""

    url: str = ""
    stored: dict[str, dict[str, Any]] = field(default_factory=dict)
    archives: dict[str, bytes] = field(default_factory=dict)
    uploads: dict[str, dict[str, Any]] = field(default_factory=dict)
    created: int = 0
    """How many uploads were begun: no name comes twice."""
    requests: list[tuple[str, str]] = field(default_factory=list)
    headers: list[dict[str, str]] = field(default_factory=list)
    commits: set[str] | None = None
    """The gate's window; ``None`` when it is off."""
    answer: Callable[[str, str, int], Canned | None] = lambda _method, _path, _count: None
    """Asked before each answer with method, path and how many such requests there were before."""
    after_body: bool = True
    """Whether the canned answer comes after the body was read."""
    date: str = ""
    lose_answers: bool = False
    """Store what comes, and cut the connection instead of answering."""

    def methods(self, path: str = "") -> list[str]:
        return [method for method, each in self.requests if path in each]


def unpacked_digest(archive: bytes) -> str:
    """Return the manifest digest of an archive, by an independent reader."""
    with zstandard.ZstdDecompressor().stream_reader(io.BytesIO(archive), read_across_frames=True) as stream:
        raw = stream.read()
    entries, folders = [], []
    with tarfile.open(fileobj=io.BytesIO(raw)) as tar:
        for member in tar:
            path = member.name.partition("/")[2].encode()
            if member.isdir():
                folders += [path] if path else []
                continue
            file = tar.extractfile(member)
            assert file is not None
            data = file.read()
            entries.append(Entry(path=path, size=len(data), sha256=hashlib.sha256(data).hexdigest()))
    return manifest_digest([*entries, *empty_folders(folders, [entry.path for entry in entries])])


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    state: StandIn
    lock: threading.Lock

    def log_message(self, *_: object) -> None: ...

    def _any(self) -> None:
        state = self.state
        with self.lock:
            count = sum(each == (self.command, self.path) for each in state.requests)
            state.requests.append((self.command, self.path))
            state.headers.append({name.lower(): value for name, value in self.headers.items()})
        canned = state.answer(self.command, self.path, count)
        size = int(self.headers.get("Content-Length", 0))
        body = self.rfile.read(size) if canned is None or state.after_body else b""
        if len(body) < size and (canned is None or state.after_body):
            if self.command == "PATCH" and self.path in state.uploads:
                state.uploads[self.path]["data"] += body
            self.close_connection = True
            return
        if canned is None:
            canned = self._real(body)
        if canned.cut or (state.lose_answers and self.command == "PUT"):
            self.close_connection = True
            return
        self.send_response_only(canned.status)
        self.send_header("Date", state.date or formatdate(usegmt=True))
        for name, value in canned.headers.items():
            self.send_header(name, value)
        if canned.status != 204:
            self.send_header("Content-Length", str(len(canned.body)))
        if size and not body:
            self.send_header("Connection", "close")
            self.close_connection = True
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(canned.body)

    do_GET = do_PUT = do_POST = do_HEAD = do_PATCH = do_DELETE = _any  # noqa: N815 - the library's names

    def _real(self, body: bytes) -> Canned:
        if self.headers.get("Authorization") != f"Bearer {TOKEN}":
            return Canned.problem(401, "unauthorised", fix=["get a token"])
        if self.path == "/v1/ping":
            return self._ping()
        if self.path.startswith("/v1/uploads/"):
            return self._upload(body)
        identifier = self.path.removeprefix("/v1/episodes/")
        if self.command == "POST":
            return self._create(identifier.removesuffix("/uploads"))
        if self.command == "PUT":
            return self._refusal(identifier) or self._store(identifier, body, self.headers)
        receipt = self.state.stored.get(identifier)
        return self._receipt(receipt, 200) if receipt else Canned.problem(404, "not_found")

    def _refusal(self, identifier: str) -> Canned | None:
        stored = self.state.stored.get(identifier)
        if stored and stored["manifest_digest"] == self.headers.get("X-Cis490-Manifest-Digest"):
            return self._receipt(stored, 200)
        if stored:
            return Canned.problem(409, "conflict", stored={"manifest_digest": stored["manifest_digest"]})
        commit = self.headers.get("X-Cis490-Code-Commit")
        if self.state.commits is not None and commit is None:
            return Canned.problem(400, "missing_commit", fix=["update me"])
        if self.state.commits is not None and commit not in self.state.commits:
            return Canned.problem(412, "commit_not_in_window", fix=["cd /opt/x && git pull", "restart it"])
        return None

    def _store(self, identifier: str, body: bytes, headers: Any) -> Canned:
        digest = base64.b64encode(hashlib.sha256(body).digest()).decode()
        if headers.get("Repr-Digest") != f"sha-256=:{digest}:":
            return Canned.problem(400, "digest_mismatch")
        manifest = unpacked_digest(body)
        if manifest != headers.get("X-Cis490-Manifest-Digest"):
            return Canned.problem(422, "manifest_mismatch")
        receipt = {"v": 1, "id": identifier, "manifest_digest": manifest, "size": len(body), "receiver": "stand-in"}
        with self.lock:
            raced = self.state.stored.setdefault(identifier, receipt)
            self.state.archives.setdefault(identifier, body)
        return self._receipt(raced, 201 if raced is receipt else 200)

    def _receipt(self, receipt: dict[str, Any], status: int) -> Canned:
        headers = {"X-Cis490-Manifest-Digest": receipt["manifest_digest"], "Content-Type": "application/json"}
        return Canned(status=status, body=json.dumps(receipt).encode(), headers=headers)

    def _ping(self) -> Canned:
        commit = self.headers.get("X-Cis490-Code-Commit")
        window = self.state.commits
        verdict = (
            "off"
            if window is None
            else "absent"
            if commit is None
            else "in_window"
            if commit in window
            else "not_in_window"
        )
        gate = {
            "enabled": window is not None,
            "state": "ok",
            "verdict": verdict,
            "your_commit": commit,
            "fix": ["pull"],
        }
        return Canned(status=200, body=json.dumps({"receiver": "stand-in", "gate": gate}).encode())

    def _create(self, identifier: str) -> Canned:
        refused = self._refusal(identifier)
        if refused is not None:
            return refused
        path = f"/v1/uploads/{self.state.created}"
        self.state.created += 1
        kept = dict(self.headers.items())
        self.state.uploads[path] = {"id": identifier, "data": b"", "size": int(kept["Upload-Length"]), "headers": kept}
        limit = "max-size=1000000000, min-append-size=1, max-append-size=300000, max-age=1000"
        return Canned(status=201, headers={"Location": path, "Upload-Offset": "0", "Upload-Limit": limit})

    def _upload(self, body: bytes) -> Canned:
        upload = self.state.uploads.get(self.path)
        if upload is None:
            return Canned.problem(404, "not_found")
        if self.command == "HEAD":
            return Canned(status=204, headers={"Upload-Offset": str(len(upload["data"])), "Upload-Complete": "?0"})
        if int(self.headers["Upload-Offset"]) != len(upload["data"]):
            kind = "https://iana.org/assignments/http-problem-types#mismatching-upload-offset"
            told = json.dumps({"type": kind, "status": 409}).encode()
            return Canned(status=409, body=told, headers={"Upload-Offset": str(len(upload["data"]))})
        upload["data"] += body
        if self.headers["Upload-Complete"] == "?0":
            return Canned(status=204, headers={"Upload-Offset": str(len(upload["data"])), "Upload-Complete": "?0"})
        return self._store(upload["id"], upload["data"], upload["headers"])


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 128

    def handle_error(self, *_: object) -> None: ...


@contextmanager
def receiving(context: ssl.SSLContext | None = None, *, port: int = 0) -> Iterator[StandIn]:
    """Serve while the block runs."""
    state = StandIn()
    handler = type("Handler", (_Handler,), {"state": state, "lock": threading.Lock()})
    with _Server(("127.0.0.1", port), handler) as server:
        if context is not None:
            server.socket = context.wrap_socket(server.socket, server_side=True, do_handshake_on_connect=False)
        state.url = f"{'https' if context else 'http'}://localhost:{server.server_port}"
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
        thread.start()
        try:
            yield state
        finally:
            server.shutdown()
            thread.join(5)
