"""Connections that mean no good, or no longer live: bounded, answered where that is possible, never in the way."""

import os
import socket
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.receiver import OPEN, Receiver, archive, offer_headers, parse_answer, read_all

SILENT = 1000


@pytest.fixture(scope="module")
def receiver(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Receiver]:
    limits = "header_timeout_s = 2\nidle_timeout_s = 2\n"
    with Receiver(folder=tmp_path_factory.mktemp("hostile"), limits=limits, config=OPEN) as running:
        yield running


def head(receiver: Receiver, *lines: str, method: str = "PUT", path: str = "/v1/episodes/ep-1") -> bytes:
    first = [f"{method} {path} HTTP/1.1", "Host: x", f"Authorization: Bearer {receiver.token}"]
    return "\r\n".join([*first, *lines, "", ""]).encode()


@pytest.mark.contract("V3")
def test_two_lengths_are_refused(receiver: Receiver) -> None:
    answer = parse_answer(receiver.raw(head(receiver, "Content-Length: 5", "Content-Length: 6") + b"hello!"))
    assert (answer.status, answer.code) == (400, "bad_header")
    assert answer.headers["content-type"] == "application/problem+json"
    assert answer.headers["date"]
    assert answer.headers["x-request-id"]


def test_a_length_together_with_chunks_is_refused(receiver: Receiver) -> None:
    request = head(receiver, "Content-Length: 5", "Transfer-Encoding: chunked") + b"0\r\n\r\n"
    answer = parse_answer(receiver.raw(request))
    assert answer.status in {400, 411}


@pytest.mark.parametrize("garbage", [b"\x16\x03\x01\x02\x00", b"GET\r\n\r\n", b"\0" * 100])
def test_what_is_no_http_is_told_so_and_closed(receiver: Receiver, garbage: bytes) -> None:
    got = receiver.raw(garbage)
    assert parse_answer(got).status in {400, 408}


def test_headers_without_end_are_cut_off(receiver: Receiver) -> None:
    with receiver.connect() as connection:
        connection.sendall(b"PUT /v1/episodes/ep-1 HTTP/1.1\r\nHost: x\r\n")
        sent = 0
        try:
            while sent < 4_000_000:
                sent += connection.send(b"X-Long: " + b"y" * 8000 + b"\r\n")
        except OSError:
            pass
        got = read_all(connection)
    assert not got or parse_answer(got).status == 400


@pytest.mark.contract("V5", "V7")
def test_headers_that_drip_are_answered_408_in_time(receiver: Receiver) -> None:
    started = time.monotonic()
    with receiver.connect() as connection:
        connection.sendall(b"PUT /v1/epi")
        for _ in range(3):
            time.sleep(0.5)
            connection.sendall(b"s")
        answer = parse_answer(read_all(connection))
    assert (answer.status, answer.code) == (408, "too_slow")
    assert time.monotonic() - started < 6


@pytest.mark.contract("V5", "V7")
def test_a_body_that_pauses_is_answered_408_and_the_id_is_free_again(receiver: Receiver) -> None:
    data = archive(files={"a": os.urandom(50_000)})
    lines = [f"{name}: {value}" for name, value in offer_headers(data).items()]
    started = time.monotonic()
    with receiver.connect() as connection:
        connection.sendall(head(receiver, *lines, f"Content-Length: {len(data)}") + data[:1000])
        answer = parse_answer(read_all(connection))
    assert (answer.status, answer.code) == (408, "too_slow")
    assert time.monotonic() - started < 8
    assert receiver.put("ep-1", data).status == 201


@pytest.mark.contract("V5")
def test_a_thousand_silent_connections_stop_nobody(receiver: Receiver) -> None:
    import resource

    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = SILENT + 500
    if hard != resource.RLIM_INFINITY and hard < wanted:
        pytest.skip(f"this process may have only {hard} open files")
    resource.setrlimit(resource.RLIMIT_NOFILE, (max(soft, wanted), hard))
    silent: list[socket.socket] = []
    try:
        silent += [receiver.connect() for _ in range(SILENT)]
        started = time.monotonic()
        assert receiver.put("ep-2", archive("ep-2")).status == 201
        assert time.monotonic() - started < 5
        deadline = time.monotonic() + 15
        for connection in silent:
            connection.settimeout(max(0.1, deadline - time.monotonic()))
            assert parse_answer(read_all(connection)).status == 408
    finally:
        for connection in silent:
            connection.close()
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


@pytest.mark.contract("V5")
def test_one_host_gets_only_its_share_of_the_slots(tmp_path: Path) -> None:
    with Receiver(folder=tmp_path, limits="max_inflight = 3\nmax_inflight_per_host = 2\n") as one:
        data = archive("x", {"a": os.urandom(50_000)})
        lines = [f"{name}: {value}" for name, value in offer_headers(data).items()]
        other = one.add_token("lab-2")
        slow = []
        for number in range(2):
            connection = one.connect()
            request = head(one, *lines, f"Content-Length: {len(data)}", path=f"/v1/episodes/slow-{number}")
            connection.sendall(request + data[:100])
            slow.append(connection)
        while len(list((one.store / "incoming").iterdir())) < 2:
            time.sleep(0.01)
        refused = one.put("ep-1", archive())
        assert (refused.status, refused.code) == (429, "too_many")
        assert int(refused.headers["retry-after"]) > 0
        assert one.put("ep-1", archive(), token=other).status == 201
        for connection in slow:
            connection.close()


@pytest.mark.contract("V7")
def test_a_bomb_is_refused_with_flat_memory(tmp_path: Path) -> None:
    import zstandard

    with Receiver(folder=tmp_path) as one:
        assert one.process is not None
        packer = zstandard.ZstdCompressor(level=3).compressobj()
        bomb = b"".join(packer.compress(bytes(16 << 20)) for _ in range(64)) + packer.flush()
        answer = one.put("ep-1", bomb)
        assert answer.status in {413, 422}
        status = Path(f"/proc/{one.process.pid}/status").read_text()
        peak_kib = int(next(line.split()[1] for line in status.splitlines() if line.startswith("VmHWM")))
        assert peak_kib < 150 * 1024
