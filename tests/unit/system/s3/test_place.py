"""How long a store is waited for, and in how many parts it is sent an object."""

import socket
from dataclasses import replace

import pytest

from dce_play.system.s3.bucket import Bucket
from dce_play.system.s3.errors import S3Unreachable
from dce_play.system.s3.place import CONNECT_S, SILENCE_S, S3Place
from dce_play.system.s3.upload import MOST_PARTS, SMALLEST_PART_BYTES, part_bytes
from tests.support.bounds import lower
from tests.support.deaf_server import deaf_server


def place(port: int) -> S3Place:
    return S3Place(endpoint=f"http://127.0.0.1:{port}", bucket="b", access_key="a", secret_key="s", attempts=1)


def test_a_store_that_takes_no_connection_is_not_waited_for(monkeypatch: pytest.MonkeyPatch) -> None:
    lower(monkeypatch, "system.s3.place:CONNECT_S", 0.2)
    with deaf_server() as port, pytest.raises(S3Unreachable, match=r"time.?out"):
        Bucket(place(port)).head("key")


def test_a_store_that_says_nothing_is_not_waited_for() -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        port = silent.getsockname()[1]
        with pytest.raises(S3Unreachable, match=r"time.?out"):
            Bucket(replace(place(port), silence_s=0.2)).head("key")
        assert place(port).silence_s == SILENCE_S > CONNECT_S


@pytest.mark.parametrize("beyond", [0, 1])
def test_a_large_object_goes_up_in_larger_parts_and_not_in_more(beyond: int) -> None:
    size = MOST_PARTS * SMALLEST_PART_BYTES + beyond
    part = part_bytes(size, SMALLEST_PART_BYTES)
    assert part == SMALLEST_PART_BYTES + beyond
    assert -(-size // part) <= MOST_PARTS
