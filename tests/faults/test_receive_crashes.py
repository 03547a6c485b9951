"""The receiver killed, or its disk failing, at each step of storing an episode: stored once and listed once after."""

import hashlib
import os
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.call_order import tracer
from tests.support.receiver import Receiver, archive, offer_headers

pytestmark = [pytest.mark.strace, pytest.mark.skipif(shutil.which("strace") is None, reason="needs strace")]

STEPS = [
    ("fsync", 1),
    ("/^rename", 1),
    ("/^link", 1),
    ("fsync", 5),
    ("fsync", 2),
    ("fsync", 3),
    ("fsync", 4),
    ("/^unlink", 1),
]
"""The calls of one PUT: the archive, the receipt and its folder, the name and its folder, the row; see the design."""


@pytest.fixture
def prepared(tmp_path: Path) -> Iterator[Receiver]:
    """A receiver whose folders are all there, stopped."""
    with Receiver(folder=tmp_path) as one:
        assert one.put("ep-0", archive("ep-0")).status == 201
        assert one.stop() == 0
        yield one


def injected(receiver: Receiver, call: str, what: str, number: int) -> None:
    trace = ("-e", f"trace={call}", "-e", f"inject={call}:{what}:when={number}")
    receiver.wrapper = (*tracer(what), "-D", "-qq", "-o", os.devnull, *trace)


def assert_stored_once(receiver: Receiver, data: bytes) -> None:
    receiver.wrapper = ()
    receiver.start()
    again = receiver.put("ep-1", data)
    assert again.status in {200, 201}, again.body
    assert (receiver.store / "store" / "ep-1.tar.zst").read_bytes() == data
    assert again.json["sha256"] == hashlib.sha256(data).hexdigest()
    assert [row["id"] for row in receiver.rows()] == ["ep-0", "ep-1"]
    assert receiver.verb("verify", "--deep")[1]["broken"] == []
    code, report = receiver.verb("backfill")
    assert (code, report["added"], report["rows"]) == (0, 0, 2)


@pytest.mark.contract("V2", "V4")
@pytest.mark.parametrize(
    ("call", "number"), [*STEPS[:4], *(pytest.param(*step, marks=pytest.mark.soak) for step in STEPS[4:])]
)
def test_killed_at_any_step_the_episode_is_stored_once_in_the_end(prepared: Receiver, call: str, number: int) -> None:
    data = archive(files={"a": os.urandom(50_000)})
    injected(prepared, call, "signal=SIGKILL", number)
    prepared.start()
    with pytest.raises((ConnectionError, OSError)):
        prepared.put("ep-1", data)
    assert prepared.process is not None
    prepared.process.wait(20)
    assert_stored_once(prepared, data)


@pytest.mark.contract("V2", "V5")
@pytest.mark.parametrize(
    ("call", "number", "error"),
    [
        ("fsync", 1, "EIO"),
        ("/^link", 1, "ENOSPC"),
        ("pwrite64", 1, "ENOSPC"),
        *(
            pytest.param(call, number, "EIO", marks=pytest.mark.soak)
            for call, number in STEPS[1:]
            if call != "/^unlink"
        ),
        *(pytest.param(call, number, "ENOSPC", marks=pytest.mark.soak) for call, number in STEPS if call != "/^unlink"),
    ],
)
def test_a_failing_disk_acknowledges_nothing_and_heals(prepared: Receiver, call: str, number: int, error: str) -> None:
    data = archive(files={"a": os.urandom(50_000)})
    injected(prepared, call, f"error={error}", number)
    prepared.start()
    answer = prepared.put("ep-1", data)
    assert (answer.status, answer.code) == ((507, "no_space") if error == "ENOSPC" else (500, "internal"))
    assert prepared.admin("/healthz").status == 200
    prepared.kill()
    assert_stored_once(prepared, data)


@pytest.mark.contract("V2")
def test_the_order_of_what_is_made_durable(prepared: Receiver, tmp_path: Path) -> None:
    trace = tmp_path / "trace"
    prepared.wrapper = (
        *tracer(),
        "-D",
        "-qq",
        "-y",
        "-o",
        str(trace),
        "-e",
        "trace=fsync,/^rename,/^link,/^unlink,write,pwrite64",
    )
    prepared.start()
    assert prepared.put("ep-1", archive()).status == 201
    prepared.stop()
    steps = [step for line in trace.read_text().splitlines() if (step := named(line))]
    assert steps == [
        "fsync part",
        "fsync receipt",
        "rename receipt",
        "fsync store",
        "link archive",
        "fsync store",
        "unlink part",
        "write row",
        "fsync row",
    ]


@pytest.mark.contract("V2")
def test_an_offset_is_told_after_it_is_durable(prepared: Receiver, tmp_path: Path) -> None:
    trace = tmp_path / "trace"
    calls = "trace=fsync,/^rename,pwrite64,/^send,write"
    prepared.wrapper = (*tracer(), "-D", "-qq", "-y", "-o", str(trace), "-e", calls)
    prepared.start()
    data = archive(files={"a": os.urandom(50_000)})
    offer = {**offer_headers(data), "Upload-Complete": "?0", "Upload-Length": str(len(data)), "Content-Length": "0"}
    path = prepared.request("POST", "/v1/episodes/ep-1/uploads", offer).headers["location"]
    piece = {"Content-Type": "application/partial-upload", "Upload-Offset": "0", "Upload-Complete": "?0"}
    assert prepared.request("PATCH", path, piece, data[:1000]).status == 204
    prepared.stop()
    lines = trace.read_text().splitlines()
    start = next(at for at, line in enumerate(lines) if "pwrite64" in line and "/data>" in line)
    wanted = ["fsync", "fsync", "rename", "fsync", "204"]
    marks = ["/data>", ".upload.json.", "upload.json", "/uploads/", "204"]
    at = start
    for call, mark in zip(wanted, marks, strict=True):
        at = next(index for index in range(at + 1, len(lines)) if call in lines[index] and mark in lines[index])


_FILES = {
    "index.jsonl": "row",
    ".receipt.json": "receipt",
    ".tar.zst": "archive",
    ".part": "part",
    "/store/store>": "store",
}


def named(line: str) -> str:
    """Return a call of the trace in the words of the contract's order, or nothing."""
    call = line.split(maxsplit=1)[1].partition("(")[0]
    what = next((name for part, name in _FILES.items() if part in line), "")
    if not what or (call in {"write", "pwrite64"} and what != "row"):
        return ""
    verb = next((verb for verb in ("fsync", "rename", "unlink", "link", "write") if verb in call), "")
    return f"{verb} {what}"
