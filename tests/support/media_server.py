"""A media server and an API for refreshed signatures, on loopback: what they serve and how badly is scripted."""

import hashlib
import json
import re
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, urlsplit


class MediaServer:
    """Serves bytes by path. ``trouble`` maps a path to a function of (handler, data) that answers in its place."""

    def __init__(self) -> None:
        self.files: dict[str, bytes] = {}
        self.trouble: dict[str, Any] = {}
        self.signed = False
        """Whether a query must have ``ex`` in the future and ``hm=good``."""
        self.refresh_works = True
        self.seen: list[tuple[str, dict[str, str]]] = []
        self.refreshed: list[list[str]] = []
        self.lock = threading.Lock()
        self.base = ""
        self.api: Any = None
        """Answers what is asked of the API, where it is set."""

    def asked(self, path: str) -> int:
        return sum(urlsplit(each).path == path for each, _ in self.seen)


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    media: MediaServer

    def log_message(self, *_: object) -> None:
        pass

    def do_GET(self) -> None:
        media = self.media
        with media.lock:
            media.seen.append((self.path, {name.lower(): value for name, value in self.headers.items()}))
        parts = urlsplit(self.path)
        if media.api is not None and parts.path.startswith("/api/"):
            media.api(self)
            return
        if parts.path.endswith("/users/@me"):
            self.answer(200, b'{"id": "1", "username": "u"}')
            return
        data = media.files.get(parts.path)
        trouble = media.trouble.get(parts.path)
        if trouble is not None and trouble(self, data):
            return
        query = parse_qs(parts.query)
        if media.signed and (query.get("hm") != ["good"] or int(query.get("ex", ["0"])[0], 16) < time.time()):
            self.answer(403, b"expired")
        elif data is None:
            self.answer(404, b"no")
        else:
            self.serve(data)

    def serve(self, data: bytes) -> None:
        etag = f'"{hashlib.sha1(data, usedforsecurity=False).hexdigest()}"'
        found = re.fullmatch(r"bytes=(\d+)-", self.headers.get("Range", ""))
        if found and self.headers.get("If-Range") == etag and int(found[1]) < len(data):
            start = int(found[1])
            told = {"ETag": etag, "Content-Range": f"bytes {start}-{len(data) - 1}/{len(data)}"}
            self.answer(206, data[start:], told)
        else:
            self.answer(200, data, {"ETag": etag})

    def answer(self, status: int, data: bytes, headers: dict[str, str] | None = None) -> None:
        self.send_response(status)
        told = {"Content-Type": "image/png", "Content-Length": str(len(data)), **(headers or {})}
        for name, value in told.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(data)

    def cut(self, data: bytes, at: int) -> None:
        """Announce all bytes and send some."""
        self.send_response(200)
        self.send_header("ETag", f'"{hashlib.sha1(data, usedforsecurity=False).hexdigest()}"')
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data[:at])
        self.wfile.flush()
        self.close_connection = True

    def do_POST(self) -> None:
        urls = json.loads(self.rfile.read(int(self.headers["Content-Length"])))["attachment_urls"]
        self.media.refreshed.append(urls)
        if not self.media.refresh_works:
            self.answer(500, b"{}")
            return
        until = f"{int(time.time()) + 3600:x}"
        pairs = [{"original": url, "refreshed": f"{url.partition('?')[0]}?ex={until}&is=1&hm=good&"} for url in urls]
        self.answer(200, json.dumps({"refreshed_urls": pairs}).encode(), {"Content-Type": "application/json"})


@contextmanager
def media_server() -> Iterator[MediaServer]:
    """Serve until the block ends."""
    media = MediaServer()
    handler = type("Handler", (_Handler,), {"media": media})
    server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
    server.daemon_threads = True
    media.base = f"http://127.0.0.1:{server.server_address[1]}"
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True)
    thread.start()
    try:
        yield media
    finally:
        server.shutdown()
        server.server_close()
        thread.join(5)
