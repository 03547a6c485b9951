"""A stub of Meilisearch's dumps API, and it is only that: no Meilisearch is to be had for these tests.

It writes gzipped tars laid out as Meilisearch's dumps of version 6 are, and can be told to be slow, to fail, to refuse.
"""

import gzip
import io
import json
import tarfile
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

KEY = "meili-key-0123456789"


@dataclass(kw_only=True)
class MeilisearchStub:
    """What the stub holds and how it behaves."""

    dumps: Path
    indexes: dict[str, int] = field(default_factory=lambda: {"movies": 3, "books": 2})
    in_dump: dict[str, int] | None = None
    """What is really dumped; without it, all of it."""
    ends: str = "succeeded"
    polls: int = 2
    """How often a task is asked for before it has ended."""
    cut: int | None = None
    """How many bytes of the dump are written."""
    no_file: bool = False
    status: str = "available"
    tasks: dict[int, int] = field(default_factory=dict)
    port: int = 0

    @property
    def url(self) -> str:
        """Return its address."""
        return f"http://127.0.0.1:{self.port}"

    def dump_bytes(self) -> bytes:
        """Return a dump of all of it."""
        out = io.BytesIO()
        with tarfile.open(fileobj=out, mode="w") as archive:
            add(archive, "metadata.json", json.dumps({"dumpVersion": "V6", "dbVersion": "1.9.0"}).encode())
            for name, count in (self.indexes if self.in_dump is None else self.in_dump).items():
                add(archive, f"indexes/{name}/metadata.json", b"{}")
                documents = b"".join(b'{"id":%d}\n' % number for number in range(count))
                add(archive, f"indexes/{name}/documents.jsonl", documents)
        return gzip.compress(out.getvalue(), mtime=0)[: self.cut]

    def answer(self, method: str, path: str, key: str) -> tuple[int, Any]:
        """Return the answer to a request."""
        if path == "/health":
            return 200, {"status": self.status}
        if key != f"Bearer {KEY}":
            return 403, {"message": "The provided API key is invalid.", "code": "invalid_api_key"}
        if path == "/version":
            return 200, {"pkgVersion": "1.9.0"}
        if path == "/stats":
            stats = {name: {"numberOfDocuments": count, "isIndexing": False} for name, count in self.indexes.items()}
            return 200, {"databaseSize": 1, "indexes": stats}
        if (method, path) == ("POST", "/dumps"):
            uid = len(self.tasks) + 1
            self.tasks[uid] = 0
            return 202, {"taskUid": uid, "status": "enqueued", "type": "dumpCreation"}
        return self._task(int(path.rpartition("/")[2]))

    def _task(self, uid: int) -> tuple[int, Any]:
        self.tasks[uid] += 1
        if self.tasks[uid] <= self.polls:
            return 200, {"uid": uid, "status": "processing", "details": {"dumpUid": None}}
        if self.ends != "succeeded":
            return 200, {"uid": uid, "status": self.ends, "error": {"message": "no room for the dump"}}
        if not self.no_file:
            (self.dumps / f"2026-{uid}.dump").write_bytes(self.dump_bytes())
        return 200, {"uid": uid, "status": "succeeded", "details": {"dumpUid": f"2026-{uid}"}}


def add(archive: tarfile.TarFile, name: str, data: bytes) -> None:
    """Add a member."""
    info = tarfile.TarInfo(name)
    info.size = len(data)
    archive.addfile(info, io.BytesIO(data))


@contextmanager
def meilisearch_stub(dumps: Path) -> Iterator[MeilisearchStub]:
    """Run the stub."""
    stub = MeilisearchStub(dumps=dumps)

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self._reply()

        def do_POST(self) -> None:
            self._reply()

        def _reply(self) -> None:
            status, body = stub.answer(self.command, self.path, self.headers.get("Authorization", ""))
            data = json.dumps(body).encode()
            self.send_response(status)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(data)))
            self.end_headers()
            self.wfile.write(data)

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002  # the library's name
            """Say nothing."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as listening:
        stub.port = listening.server_address[1]
        thread = threading.Thread(target=listening.serve_forever, daemon=True)
        thread.start()
        try:
            yield stub
        finally:
            listening.shutdown()
            thread.join(timeout=5)
