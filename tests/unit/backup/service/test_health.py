"""A probe's time is for the whole answer: what drips, or says nothing, is not well."""

import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress

import pytest

from dce_play.backup.definitions.model import HealthKeys, ModuleKeys, S3Keys, VaultKeys
from dce_play.backup.facts import Health
from dce_play.backup.registry import engine_named
from dce_play.backup.service.health import Probe
from dce_play.backup.service.in_time import http_answers
from tests.support.engine_services import EngineServices, module_of

HEAD = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n"
BODY = b'{"initialized": true, "sealed": false, "standby": false, "version": "1.0", "cluster_id": "x"}'
WHOLE = HEAD + b"Content-Length: %d\r\n\r\n%s" % (len(BODY), BODY)


@contextmanager
def server(answer: Callable[[socket.socket], None]) -> Iterator[int]:
    """Give the port of a server that answers each connection so, on loopback."""
    listening = socket.create_server(("127.0.0.1", 0))

    def serve() -> None:
        with suppress(OSError):
            while True:
                connection, _ = listening.accept()
                threading.Thread(target=handle, args=(connection,), daemon=True).start()

    def handle(connection: socket.socket) -> None:
        with connection, suppress(OSError):
            connection.recv(1 << 16)
            answer(connection)

    threading.Thread(target=serve, daemon=True).start()
    try:
        yield listening.getsockname()[1]
    finally:
        listening.shutdown(socket.SHUT_RDWR)
        listening.close()


def drip(connection: socket.socket, data: bytes) -> None:
    for byte in data:
        connection.sendall(bytes([byte]))
        time.sleep(0.2)


def a_slow_body(connection: socket.socket) -> None:
    connection.sendall(HEAD + b"Content-Length: 100000\r\n\r\n")
    drip(connection, b"x" * 100_000)


def slow_headers(connection: socket.socket) -> None:
    connection.sendall(HEAD)
    drip(connection, b"X-Slow: " + b"x" * 60_000)


def silence(connection: socket.socket) -> None:
    connection.recv(1)


@pytest.mark.contract("B4")
@pytest.mark.parametrize("answer", [a_slow_body, slow_headers, silence])
@pytest.mark.parametrize("engine", ["files", "vault", "s3"])
def test_an_answer_that_is_not_whole_in_time_is_unhealthy(engine: str, answer: Callable[[socket.socket], None]) -> None:
    with server(answer) as port:
        address = f"http://127.0.0.1:{port}"
        services = EngineServices(environment={"KEY": "key", "SECRET": "secret"})
        health = HealthKeys(http=address, timeout=1.0) if engine == "files" else HealthKeys(engine=True, timeout=1.0)
        keys = ModuleKeys(
            name="m", health=health, vault=VaultKeys(address=address),
            s3=S3Keys(endpoint=address, bucket="bucket", access_key="env:KEY", secret_key="env:SECRET"),
        )  # fmt: skip
        probe = Probe(module_of(keys, engine=engine, class_name="X"), engine_named(engine), services)
        assert probe.ask() is Health.UNHEALTHY
        assert probe.ask() is Health.UNHEALTHY  # while the first may still wait


@pytest.mark.contract("B4")
def test_a_whole_answer_in_time_is_healthy_and_another_status_is_not() -> None:
    with server(lambda connection: connection.sendall(WHOLE)) as port:
        for status, wanted in ((200, Health.HEALTHY), (204, Health.UNHEALTHY)):
            keys = ModuleKeys(name="m", health=HealthKeys(http=f"http://127.0.0.1:{port}/x?y", status=status))
            module = module_of(keys, engine="files", class_name="E")
            assert Probe(module, engine_named("files"), EngineServices()).ask() is wanted


@pytest.mark.contract("B4")
def test_of_an_answer_without_end_a_mebibyte_is_read() -> None:
    cut = threading.Event()
    sent: list[int] = []

    def without_end(connection: socket.socket) -> None:
        connection.sendall(HEAD + b"\r\n")
        try:
            while True:
                sent.append(connection.send(b"x" * 65536))
        except OSError:
            cut.set()

    with server(without_end) as port:
        assert http_answers(HealthKeys(http=f"http://127.0.0.1:{port}/", timeout=20.0))
        assert cut.wait(20)
    assert sum(sent) < 64 << 20  # with what lies in the kernel's buffers
