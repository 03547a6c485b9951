"""A loopback HTTP server that is a monitor: it takes what it is told, or behaves badly."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qs, urlsplit


@dataclass(frozen=True, slots=True)
class Heard:
    """One request that came in."""

    path: str
    query: dict[str, str]
    body: str
    headers: dict[str, str]


@dataclass(slots=True)
class MonitorServer:
    """What it heard, in order, and how it answers: a status, ``hang``, ``drip`` or ``shut``."""

    port: int = 0
    answer: int | str = 200
    heard: list[Heard] = field(default_factory=list)
    free: threading.Event = field(default_factory=threading.Event)

    @property
    def address(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    @property
    def paths(self) -> list[str]:
        return [each.path for each in self.heard]


@contextmanager
def monitor_server(answer: int | str = 200) -> Iterator[MonitorServer]:
    """Serve until the block ends."""
    monitor = MonitorServer(answer=answer)

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers.get("Content-Length") or 0)).decode()
            parts = urlsplit(self.path)
            query = {name: values[0] for name, values in parse_qs(parts.query).items()}
            monitor.heard.append(Heard(parts.path, query, body, dict(self.headers)))
            match monitor.answer:
                case "hang":
                    monitor.free.wait(60)
                case "drip":
                    self._drip()
                case int() as status:
                    self.send_response(status)
                    if 300 <= status < 400:
                        self.send_header("Location", f"{monitor.address}/elsewhere")
                    self.end_headers()
                case _:
                    self.connection.close()

        do_GET = do_POST  # noqa: N815 - what the library calls

        def _drip(self) -> None:
            """Answer a byte now and then: never silent for long, and never done."""
            self.wfile.write(b"HTTP/1.1 200 OK\r\nX-Long: ")
            while not monitor.free.wait(0.2):
                try:
                    self.wfile.write(b"a")
                    self.wfile.flush()
                except OSError:
                    return

        def log_message(self, *_: object) -> None:
            """Say nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    monitor.port = server.server_address[1]
    thread = threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True)
    thread.start()
    try:
        yield monitor
    finally:
        monitor.free.set()
        server.shutdown()
        server.server_close()
