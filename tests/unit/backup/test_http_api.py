"""A service that hands too much, or nothing, is given up: by real connections on loopback."""

import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path

import pytest

from dce_play.backup import http_api
from dce_play.backup.errors import BackupError, ErrorId
from dce_play.backup.http_api import LARGEST_ANSWER_BYTES, SILENCE_S, Answer, HttpApi


@contextmanager
def answering(data: bytes) -> Iterator[HttpApi]:
    """Give an API whose server answers one request with these bytes, and then says nothing more."""
    over = threading.Event()

    def serve() -> None:
        connection, _ = listening.accept()
        with connection, suppress(OSError):
            connection.recv(1 << 16)
            connection.sendall(data)
            over.wait(60)

    with socket.create_server(("127.0.0.1", 0)) as listening:
        thread = threading.Thread(target=serve)
        thread.start()
        try:
            with HttpApi(f"http://127.0.0.1:{listening.getsockname()[1]}", silence_s=20.0) as api:
                yield api
        finally:
            over.set()
            thread.join(30)


def asked(api: HttpApi) -> Answer:
    return api.ask("GET", "/")


def streamed(api: HttpApi) -> Answer:
    with api.stream("GET", "/") as answer:
        return answer.answer()


@pytest.mark.parametrize(
    ("get", "error_id"), [(asked, ErrorId.UNREACHABLE), (streamed, ErrorId.ENGINE_FAILED)], ids=["asked", "streamed"]
)
def test_an_answer_is_so_large_at_most(get: Callable[[HttpApi], Answer], error_id: ErrorId) -> None:
    def answer(size: int) -> bytes:
        return b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%s" % (size, b'"whole"'.rjust(size))

    with answering(answer(LARGEST_ANSWER_BYTES)) as api:
        assert get(api).body == "whole"
    with answering(answer(LARGEST_ANSWER_BYTES + 1)) as api, pytest.raises(BackupError, match="without end") as caught:
        get(api)
    assert caught.value.error_id is error_id


def test_a_connection_that_nobody_takes_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(http_api, "CONNECT_S", 0.5)
    with ExitStack() as stack:
        listening = stack.enter_context(socket.create_server(("127.0.0.1", 0), backlog=0))
        address = listening.getsockname()
        for _ in range(8):  # until its queue is full and the kernel leaves the next one waiting
            waiting = stack.enter_context(socket.socket())
            waiting.setblocking(False)
            waiting.connect_ex(address)
        with (
            HttpApi(f"http://127.0.0.1:{address[1]}") as api,
            pytest.raises(BackupError, match="timed out") as caught,
        ):
            api.ask("GET", "/")
    assert caught.value.error_id is ErrorId.UNREACHABLE


def test_a_service_that_falls_silent_is_given_up() -> None:
    half = b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nhalf"
    with answering(half) as api, HttpApi(api.base_url) as as_made, HttpApi(api.base_url, silence_s=0.5) as quick:
        assert as_made._client.timeout.read == SILENCE_S
        with pytest.raises(BackupError, match="timed out") as caught:
            quick.ask("GET", "/")
    assert caught.value.error_id is ErrorId.TRUNCATED


def test_plain_http_reads_no_authorities(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """They take long to read, and what is wrong with them hinders no server that needs none."""
    (tmp_path / "authorities.pem").write_text("none")
    monkeypatch.setenv("SSL_CERT_FILE", str(tmp_path / "authorities.pem"))
    with HttpApi("http://192.0.2.1:8200") as api:
        assert api.where == "http://192.0.2.1:8200"
