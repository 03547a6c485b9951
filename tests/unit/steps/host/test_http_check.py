"""``http.check`` against a real server on loopback."""

import contextlib
import socket
import threading
import time
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from dce_play.plugin import Duration, StepFailed
from dce_play.steps.host import http_check
from dce_play.steps.host.http_check import Outputs, Params
from tests.support.fakes import make_context


class Pages(BaseHTTPRequestHandler):
    asked = 0

    def do_GET(self) -> None:
        type(self).asked += 1
        body = b"status: green"
        self.send_response(200 if self.path == "/ok" else 503)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the library's name
        pass


@pytest.fixture
def site() -> Iterator[str]:
    Pages.asked = 0
    with ThreadingHTTPServer(("127.0.0.1", 0), Pages) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()
        thread.join()


def test_the_right_answer_passes(site: str, tmp_path: Path) -> None:
    context, _ = make_context(tmp_path)
    result = http_check.apply(Params(url=f"{site}/ok", contains="green"), context)
    assert result.outputs == Outputs(status=200, body="status: green")
    assert not result.changed


@pytest.mark.parametrize(
    ("page", "wanted", "told"), [("ok", "red", 'does not say "red"'), ("down", "", "answered 503")]
)
def test_another_answer_fails_with_it(site: str, tmp_path: Path, page: str, wanted: str, told: str) -> None:
    context, _ = make_context(tmp_path)
    with pytest.raises(StepFailed, match=told) as failed:
        http_check.apply(Params(url=f"{site}/{page}", contains=wanted), context)
    assert isinstance(failed.value.outputs, Outputs)


def test_no_server_fails(tmp_path: Path) -> None:
    context, _ = make_context(tmp_path)
    with pytest.raises(StepFailed, match="does not answer"):
        http_check.apply(Params(url="http://127.0.0.1:1/"), context)


def test_a_plan_asks_nothing(site: str, tmp_path: Path) -> None:
    context, _ = make_context(tmp_path)
    assert http_check.plan(Params(url=f"{site}/ok"), context).changes
    assert Pages.asked == 0


def endless(kind: str, connection: socket.socket) -> None:
    """Answer for ever, in one of the ways that there are."""
    with connection, contextlib.suppress(OSError):
        connection.recv(4096)
        opening = b"HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\n"
        match kind:
            case "headers":
                connection.sendall(opening)
                while True:
                    connection.sendall(b"X-More: y\r\n")
                    time.sleep(0.1)
            case "dripping body":
                connection.sendall(opening + b"\r\n")
                while True:
                    connection.sendall(b"x")
                    time.sleep(0.1)
            case "silence":
                time.sleep(20)
            case "endless body":
                connection.sendall(opening + b"\r\n")
                while True:
                    connection.sendall(b"x" * 65536)
            case "chunks":
                connection.sendall(opening + b"Transfer-Encoding: chunked\r\n\r\n")
                while True:
                    connection.sendall(b"1\r\nx\r\n")
                    time.sleep(0.05)


@pytest.fixture
def hostile(request: pytest.FixtureRequest) -> Iterator[str]:
    with socket.create_server(("127.0.0.1", 0)) as server:

        def serve() -> None:
            with contextlib.suppress(OSError):
                while True:
                    connection, _ = server.accept()
                    endless(request.param, connection)

        threading.Thread(target=serve, daemon=True).start()
        yield f"http://127.0.0.1:{server.getsockname()[1]}/"


@pytest.mark.contract("F-B5")
@pytest.mark.parametrize("hostile", ["headers", "dripping body", "silence", "chunks"], indirect=True)
def test_the_timeout_covers_the_whole_answer(hostile: str, tmp_path: Path) -> None:
    context, _ = make_context(tmp_path)
    begun = time.monotonic()
    with pytest.raises(StepFailed, match="within 1 s"):
        http_check.apply(Params(url=hostile, timeout=Duration(1.0)), context)
    assert time.monotonic() - begun < 5


@pytest.mark.contract("F-B5")
@pytest.mark.parametrize("hostile", ["endless body"], indirect=True)
def test_no_more_than_a_mebibyte_is_read(hostile: str, tmp_path: Path) -> None:
    context, _ = make_context(tmp_path)
    result = http_check.apply(Params(url=hostile, contains="xxx"), context)
    assert result.summary.endswith("answered 200")
    with pytest.raises(StepFailed, match="in its first 1024 KiB"):
        http_check.apply(Params(url=hostile, contains="y", timeout=Duration(5.0)), context)
