"""Real fetches, killed or refused at their file calls by strace, and at random moments by the hundred.

Whatever a run died of, each file in the store is whole, and the next run has everything, once, with nothing left over.
"""

import hashlib
import random
import signal
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from dce_play.discord.media_store.store import MediaStore
from dce_play.layout import TargetLayout
from tests.support import forked
from tests.support.call_order import tracer
from tests.support.media_server import MediaServer, media_server
from tests.support.media_shop import Shop

KILL = "signal=SIGKILL"
CASES = [
    *(pytest.param(call, KILL, id=f"{call} killed") for call in ("openat", "pwrite64", "fsync", "rename", "unlink")),
    *(pytest.param(call, "error=ENOSPC", id=f"{call} ENOSPC") for call in ("pwrite64", "fsync", "rename")),
    *(pytest.param(call, "error=EIO", id=f"{call} EIO") for call in ("openat", "pwrite64", "fsync", "rename")),
]
MOST_CALLS = 300
CONTENTS = [random.Random(number).randbytes(3000 * number) for number in (3, 2, 1, 0)]
"""The first has bytes: of many kinds of call only the first fails in the fast job, and an empty file cannot be torn."""


@pytest.fixture
def server() -> Iterator[MediaServer]:
    with media_server() as running:
        yield running


@pytest.fixture
def shop(tmp_path: Path, server: MediaServer) -> Shop:
    return Shop(tmp_path, server, media_jobs=1)


def assert_whole(shop: Shop) -> None:
    """See that what has a name has the bytes of that name, and that no line tells of a file that is not there."""
    for path in (shop.media / "sha256").rglob("*/*") if shop.media.exists() else ():
        assert hashlib.sha256(path.read_bytes()).hexdigest() == path.name
    if (shop.media / "media.jsonl").exists():
        for raw in (shop.media / "media.jsonl").read_bytes().split(b"\n")[:-1]:
            assert raw.startswith(b"{")
            assert raw.endswith(b"}")


def assert_ends_well(shop: Shop, contents: list[bytes]) -> None:
    """Run once more, and see everything kept, once."""
    said = shop.fetch()
    assert said.code == 0, said.err
    assert all(map(shop.stored, contents))
    kept = [line["url"] for line in shop.lines() if line["state"] == "kept"]
    assert len(kept) == len(set(kept)) == len(shop.messages)
    assert not shop.parts()
    assert shop.terminal.run("media", "verify", "t", "--deep").code == 0


def traced_paths(shop: Shop) -> list[str]:
    """Return all that a fetch may write."""
    store = MediaStore(TargetLayout(shop.target))
    names = ["media.jsonl", *(f"index.sqlite{end}" for end in ("", "-wal", "-shm", "-journal"))]
    paths = [shop.media, *(shop.media / name for name in names), store.content, store.parts]
    for message, data in zip(shop.messages, CONTENTS, strict=True):
        place = store.path(hashlib.sha256(data).hexdigest())
        paths += [place.parent, place, store.part(message["attachments"][0]["url"].partition("?")[0])]
    return [str(path) for path in paths]


def faulty_fetch(shop: Shop, call: str, fault: str, number: int) -> bool:
    """Fetch with the n-th such call failing; return whether there was one."""
    log = shop.terminal.folder / "strace.log"
    only = [word for path in traced_paths(shop) for word in ("-P", path)]
    prefix = (
        *tracer(fault),
        "-o",
        str(log),
        *only,
        "-e",
        f"trace={call}",
        "-e",
        f"inject={call}:{fault}:when={number}",
    )
    done = forked.run_traced(
        prefix,
        shop.terminal.argv("media", "fetch", "t"),
        cwd=shop.terminal.folder,
        env=shop.terminal.environment,
        text=True,
    )
    assert "Traceback" not in done.stderr, done.stderr
    text = log.read_text(errors="replace")
    return "(INJECTED)" in text or "killed by SIGKILL" in text


def meet_every(shop: Shop, call: str, fault: str, step: int) -> int:
    """Let every ``step``-th call of a fetch fail, each in a new store; return how many faults were met."""
    for name, data in enumerate(CONTENTS):
        shop.attach(f"{name}.bin", data)
    for met, number in enumerate(range(1, MOST_CALLS, step)):
        subprocess.run(["rm", "-rf", str(shop.media)], check=True)
        if not faulty_fetch(shop, call, fault, number):
            assert_ends_well(shop, CONTENTS)
            return met
        assert_whole(shop)
        assert_ends_well(shop, CONTENTS)
    raise AssertionError(f"more than {MOST_CALLS} calls of {call}")


@pytest.mark.strace
@pytest.mark.contract("M3", "M5")
@pytest.mark.parametrize(("call", "fault"), CASES)
def test_a_fault_at_some_of_the_file_calls_loses_nothing(shop: Shop, call: str, fault: str) -> None:
    assert meet_every(shop, call, fault, 13) > 0


@pytest.mark.soak
@pytest.mark.strace
@pytest.mark.contract("M3", "M5")
@pytest.mark.parametrize(("call", "fault"), CASES)
def test_a_fault_at_each_file_call_loses_nothing(shop: Shop, call: str, fault: str) -> None:
    met = meet_every(shop, call, fault, 1)
    print(f"{call} {fault}: {met} faults met")
    assert met > 0


@pytest.mark.soak
@pytest.mark.contract("M3")
def test_five_hundred_kills_lose_nothing_and_fetch_nothing_twice(tmp_path: Path, server: MediaServer) -> None:
    """New messages come whenever a run got through; what a run had told to be kept is never asked for again."""
    shop = Shop(tmp_path, server)
    dice = random.Random(7)
    contents: list[bytes] = []
    kills = 0
    while kills < 500:
        if len(shop.lines()) == len(contents):
            for _ in range(120):
                contents.append(dice.randbytes(dice.randrange(60_000)))
                shop.attach(f"{len(contents)}.bin", contents[-1])
        before = {line["url"] for line in shop.lines()}
        already = len(server.seen)
        started = subprocess.Popen(
            shop.terminal.argv("media", "fetch", "t"),
            cwd=shop.terminal.folder,
            env=shop.terminal.environment,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        time.sleep(dice.uniform(0.1, 0.7))
        if started.poll() is None:
            kills += 1
        started.send_signal(signal.SIGKILL)
        started.wait(10)
        assert_whole(shop)
        asked = {f"https://cdn.discordapp.com{path.partition('?')[0]}" for path, _ in server.seen[already:]}
        assert not asked & before
    assert_ends_well(shop, contents)
    print(f"{kills} kills, {len(contents)} files kept, {len(server.seen)} requests")
