"""How much one connection, one length and one piece may be: up to the bound it is taken, beyond it it is answered."""

import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from dce_play.services.receiver.admission import LONGEST_LENGTH_DIGITS
from dce_play.services.receiver.exchange import DISCARD_BYTES
from dce_play.services.receiver.run import _MOST_CONNECTIONS, _SPARE_DESCRIPTORS
from dce_play.services.receiver.uploads import LARGEST_APPEND_BYTES
from tests.support.receiver import OPEN, Receiver, offer_headers, parse_answer, read_all

FEW = 80


@pytest.fixture(scope="module")
def receiver(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Receiver]:
    limits = f"max_bytes = {4 * LARGEST_APPEND_BYTES}\n"
    with Receiver(folder=tmp_path_factory.mktemp("bounds"), limits=limits, config=OPEN) as running:
        yield running


def create(receiver: Receiver, episode_id: str, length: str) -> tuple[int, str, str]:
    """Begin an upload of so many bytes; return status, code and path."""
    offer = offer_headers(b"") | {"Upload-Complete": "?0", "Upload-Length": length, "Content-Length": "0"}
    answer = receiver.request("POST", f"/v1/episodes/{episode_id}/uploads", offer)
    return answer.status, "" if answer.status == 201 else answer.code, answer.headers.get("location", "")


def test_a_length_has_so_many_digits(receiver: Receiver) -> None:
    assert create(receiver, "ep-1", "0" * (LONGEST_LENGTH_DIGITS - 1) + "9")[0] == 201
    assert create(receiver, "ep-1", "9" * LONGEST_LENGTH_DIGITS)[:2] == (413, "too_large")
    for digits in (LONGEST_LENGTH_DIGITS + 1, 5000):
        assert create(receiver, "ep-1", "9" * digits)[:2] == (400, "bad_header")


@pytest.mark.parametrize(("more", "status"), [(0, 100), (1, 413)])
def test_a_piece_of_an_upload_is_so_large_at_most(receiver: Receiver, more: int, status: int) -> None:
    _, _, path = create(receiver, f"ep-{status}", str(2 * LARGEST_APPEND_BYTES))
    lines = [
        f"PATCH {path} HTTP/1.1",
        "Host: x",
        f"Authorization: Bearer {receiver.token}",
        "Content-Type: application/partial-upload",
        "Upload-Offset: 0",
        "Upload-Complete: ?0",
        f"Content-Length: {LARGEST_APPEND_BYTES + more}",
        "Expect: 100-continue",
        "",
        "",
    ]
    with receiver.connect() as connection:
        connection.sendall("\r\n".join(lines).encode())
        first = connection.recv(1 << 16)
        if status != 100:
            first += read_all(connection)
            assert f"at most {LARGEST_APPEND_BYTES} bytes" in parse_answer(first).json["detail"]
    assert first.split(b" ")[1] == str(status).encode()
    assert receiver.request("HEAD", path).headers["upload-offset"] == "0"


def refused_request(receiver: Receiver, length: int) -> bytes:
    lines = ["PUT /v1/episodes/ep-1 HTTP/1.1", "Host: x", f"Authorization: Bearer {receiver.token}"]
    return "\r\n".join([*lines, f"Content-Length: {length}", "", ""]).encode()


def test_a_body_without_end_behind_a_refusal_is_not_read_to_it(receiver: Receiver) -> None:
    sent = 0
    with receiver.connect() as connection:
        connection.sendall(refused_request(receiver, 1 << 40))
        try:
            while sent < 64 * DISCARD_BYTES:
                sent += connection.send(bytes(DISCARD_BYTES))
        except OSError:
            pass
        answer = read_all(connection)
    assert sent < 64 * DISCARD_BYTES
    assert not answer or parse_answer(answer).status == 415


def test_a_body_that_never_comes_behind_a_refusal_is_not_waited_for(receiver: Receiver) -> None:
    with receiver.connect() as connection:
        connection.sendall(refused_request(receiver, 1 << 40) + bytes(1000))
        answer = parse_answer(read_all(connection))  # to the end, which is the receiver's doing
    assert (answer.status, answer.headers["connection"]) == (415, "close")


def test_so_many_connections_as_there_are_descriptors_for(tmp_path: Path) -> None:
    prlimit = shutil.which("prlimit")
    if prlimit is None:
        pytest.skip("prlimit is missing: install util-linux")
    limit = FEW + _SPARE_DESCRIPTORS
    wrapper = (prlimit, f"--nofile={limit}:{limit}")
    with Receiver(folder=tmp_path, wrapper=wrapper, limits="header_timeout_s = 60\n") as one, ExitStack() as stack:
        waiting = [stack.enter_context(one.connect()) for _ in range(FEW)]
        beyond = stack.enter_context(one.connect())
        assert read_all(beyond) == b""
        waiting[-1].sendall(b"GET /healthz HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
        assert parse_answer(read_all(waiting[-1])).status < 500
        waiting[0].close()
        assert one.request("POST", "/v1/ping").status == 200


def test_descriptors_are_raised_for_so_many_connections_and_no_more() -> None:
    program = (
        "import resource, sys\nfrom dce_play.services.receiver.run import _raise_descriptor_limit as raised\n"
        "for limit in map(int, sys.argv[1:]):\n"
        "    resource.setrlimit(resource.RLIMIT_NOFILE, (limit, limit))\n    print(raised())\n"
    )
    import resource

    most = _MOST_CONNECTIONS + _SPARE_DESCRIPTORS
    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    if hard != resource.RLIM_INFINITY and hard <= most:
        pytest.skip(f"this process may have only {hard} open files")
    limits = [most + 1, most, most - 1, 64]
    argv = [sys.executable, "-c", program, *map(str, limits)]
    done = subprocess.run(argv, capture_output=True, text=True, check=True, timeout=60)
    wanted = [_MOST_CONNECTIONS, _MOST_CONNECTIONS, _MOST_CONNECTIONS - 1, 64]
    assert [int(line) for line in done.stdout.split()] == wanted
