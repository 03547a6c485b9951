"""One file from a media server: how often it is tried, how long it is waited for, and how far it leads."""

import math
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from dce_play.discord.media import download
from dce_play.discord.media.download import Downloader, Result
from dce_play.discord.media_store.hosts import Hosts
from dce_play.discord.media_store.index import MediaIndex
from dce_play.discord.media_store.policy import MediaKind, MediaPolicy, MediaReference, MediaState
from dce_play.discord.media_store.store import MediaStore
from dce_play.layout import TargetLayout
from tests.support.bounds import at_most, lower
from tests.support.deaf_server import deaf_server
from tests.support.fakes import FakeClock
from tests.support.media_server import MediaServer, media_server

DATA = b"the bytes of a picture"
TRIES = at_most("discord.media.download:TRIES")


@pytest.fixture
def server() -> Iterator[MediaServer]:
    with media_server() as started:
        started.files["/a.png"] = DATA
        yield started


def nothing() -> None:
    """Never stop."""


def fetch(folder: Path, base: str, *, clock: FakeClock | None = None, beat: Callable[[], None] = nothing) -> Result:
    """Fetch ``a.png`` into a new store."""
    layout = TargetLayout(folder / "target")
    store = MediaStore(layout)
    store.parts.mkdir(parents=True)
    index = MediaIndex(folder / "index.sqlite", folder / "ledger.jsonl")
    hosts = Hosts([base])
    downloader = Downloader(store, index, MediaPolicy(), hosts, clock=clock or FakeClock(), beat=beat)
    reference = MediaReference(url=f"{base}/a.png", kind=MediaKind.ATTACHMENT, name="a.png")
    index.offer([reference])
    try:
        result = downloader.fetch(reference, reference.url)
    finally:
        downloader.close()
        index.close()
    assert list(store.parts.iterdir()) == []  # nothing half is left
    if result.kept is not None:
        assert store.path(result.kept.sha256).read_bytes() == DATA
    return result


def refusing(times: int, status: int, headers: dict[str, str] | None = None) -> Callable[[Any, bytes | None], bool]:
    """Return what answers so many requests with a status, and lets the others have the file."""
    left = iter(range(times))

    def refuse(handler: Any, _data: bytes | None) -> bool:
        if next(left, None) is None:
            return False
        handler.answer(status, b"", headers)
        return True

    return refuse


@pytest.mark.parametrize("beyond", [0, 1])
def test_a_server_that_fails_is_asked_so_often(tmp_path: Path, server: MediaServer, beyond: int) -> None:
    server.trouble["/a.png"] = refusing(TRIES - 1 + beyond, 503)
    result = fetch(tmp_path, server.base)
    assert server.asked("/a.png") == TRIES
    assert (result.state, result.reason) == (
        (MediaState.FAILED, f"HTTP 503, {TRIES} times") if beyond else (MediaState.KEPT, "")
    )


@pytest.mark.parametrize("beyond", [0, 1])
def test_a_wait_that_a_server_asks_for_has_a_bound(tmp_path: Path, server: MediaServer, beyond: int) -> None:
    wait_s, clock = at_most("discord.media.download:_LONGEST_WAIT_S") + beyond, FakeClock()
    server.trouble["/a.png"] = refusing(1, 429, {"Retry-After": str(wait_s)})
    result = fetch(tmp_path, server.base, clock=clock)
    if beyond:
        assert (result.state, result.reason) == (MediaState.FAILED, f"HTTP 429, to wait for {wait_s} s")
        assert clock.sleeps == []
    else:
        assert result.state is MediaState.KEPT
        assert sum(clock.sleeps) == pytest.approx(wait_s)


@pytest.mark.parametrize("beyond", [0, 1])
def test_redirects_lead_so_far_and_no_farther(tmp_path: Path, server: MediaServer, beyond: int) -> None:
    most = at_most("discord.media.download:_REDIRECTS")
    server.trouble["/a.png"] = refusing(most + beyond, 302, {"Location": "/a.png"})
    result = fetch(tmp_path, server.base)
    assert server.asked("/a.png") == most + 1
    assert (result.state, result.reason) == (
        (MediaState.FAILED, "redirects without an end") if beyond else (MediaState.KEPT, "")
    )


@pytest.mark.parametrize("beyond", [0, 1])
def test_a_file_has_so_much_time(
    tmp_path: Path, server: MediaServer, monkeypatch: pytest.MonkeyPatch, beyond: int
) -> None:
    monkeypatch.setattr(download, "_SLOWEST", math.inf)  # what its size adds
    clock, passes = FakeClock(), iter([at_most("discord.media.download:_PATIENCE_S") + beyond] * (9 if beyond else 1))
    result = fetch(tmp_path, server.base, clock=clock, beat=lambda: clock.advance(next(passes, 0)))
    assert (result.state, result.reason) == (
        (MediaState.FAILED, f"its bytes come too slowly, {TRIES} times") if beyond else (MediaState.KEPT, "")
    )


def test_a_server_that_says_nothing_is_not_waited_for(
    tmp_path: Path, server: MediaServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    lower(monkeypatch, "discord.media.network:_SILENCE_S", 0.05)
    ended = threading.Event()
    server.trouble["/a.png"] = lambda _handler, _data: ended.wait()
    try:
        result = fetch(tmp_path, server.base)
    finally:
        ended.set()
    assert (result.state, result.reason) == (MediaState.FAILED, f"ReadTimeout: timed out, {TRIES} times")


def test_a_server_that_takes_no_connection_is_not_waited_for(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    lower(monkeypatch, "discord.media.network:_CONNECT_S", 0.05)
    with deaf_server() as port:
        result = fetch(tmp_path, f"http://127.0.0.1:{port}")
    assert (result.state, result.reason) == (MediaState.FAILED, f"ConnectTimeout: timed out, {TRIES} times")


@pytest.mark.contract("M3")
@pytest.mark.parametrize("told", ["bytes 5-9/22", "bytes 4-21/22", "items 5-21/22", "", "bytes 5-22/22"])
def test_a_part_that_is_not_all_the_rest_is_never_taken_for_it(tmp_path: Path, server: MediaServer, told: str) -> None:
    """Nobody told how long a picture is: only the answer itself says that a part of it is not its end."""
    answers = iter(("cut", "part"))

    def partial(handler: Any, data: bytes) -> bool:
        match next(answers, None):
            case "cut":
                handler.cut(data, 5)
            case "part":
                start, end = (5, 10) if told.startswith("bytes 5-9/") else (4, 22)
                handler.answer(206, data[start:end], {"Content-Range": told})
            case _:
                return False
        return True

    server.trouble["/a.png"] = partial
    result = fetch(tmp_path, server.base)
    assert result.state is MediaState.KEPT
    assert [headers.get("range") for _, headers in server.seen] == [None, "bytes=5-", None]


@pytest.mark.contract("M3")
def test_bytes_of_one_validator_never_stand_under_another(tmp_path: Path, server: MediaServer) -> None:
    """A run that ends before the old bytes are away must not leave them for the next run to go on from."""
    layout = TargetLayout(tmp_path / "target")
    store = MediaStore(layout)
    store.parts.mkdir(parents=True)
    index = MediaIndex(tmp_path / "index.sqlite", tmp_path / "ledger.jsonl")
    reference = MediaReference(url=f"{server.base}/a.png", kind=MediaKind.AVATAR, name="a.png")
    index.offer([reference])
    index.etag(reference.url, '"old"')
    part = store.part(reference.url)
    part.write_bytes(b"old")

    def lock_up(_handler: Any, _data: bytes) -> bool:
        part.rename(tmp_path / "aside")
        part.symlink_to(tmp_path / "aside")  # which no fetch opens
        return False

    server.trouble["/a.png"] = lock_up
    downloader = Downloader(store, index, MediaPolicy(), Hosts([server.base]), clock=FakeClock(), beat=nothing)
    try:
        with pytest.raises(OSError, match=r"part"):
            downloader.fetch(reference, reference.url)
        assert index.etag(reference.url) == '"old"'
        assert (tmp_path / "aside").read_bytes() == b"old"
    finally:
        downloader.close()
        index.close()
