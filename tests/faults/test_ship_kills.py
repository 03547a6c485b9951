"""Real shippers, killed or lied to at each of their file calls by strace, and then run again.

Two episodes are stored and one is refused for good, so that both ways through the spool are cut everywhere. After
the fault the next passes must end with each in exactly one place, stored once, with nothing left over.
"""

import json
import re
import subprocess
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.support.call_order import tracer
from tests.support.lab_hosts import COMMIT, LabHost, lab_host, ship
from tests.support.stand_in_receiver import StandIn, receiving, unpacked_digest

pytestmark = pytest.mark.strace

KILL = "signal=SIGKILL"
_CALL = re.compile(r"^\d+ +(\w+)\(")


@contextmanager
def world(folder: Path) -> Iterator[tuple[LabHost, StandIn]]:
    with receiving() as receiver:
        receiver.commits = {COMMIT}
        host = lab_host(folder, receiver.url)
        ship(host)  # folders are made, the probes are the same ever after
        host.episode("good")
        host.episode("good-2")
        host.episode("bad", commit="b2" * 20)
        yield host, receiver


def faulty_run(host: LabHost, call: str, fault: str, number: int) -> tuple["subprocess.CompletedProcess[str]", bool]:
    """Run ``ship once`` with its n-th call failing; return how it ended, and whether the fault came at all."""
    log = host.folder / "strace.log"
    traced = f"inject={call}:{fault}:when={number}"
    prefix = (*tracer(fault), "-o", str(log), "-e", f"trace={call}", "-e", traced)
    done = host.run("ship", "once", prefix=prefix)
    text = log.read_text(errors="replace")
    return done, "(INJECTED)" in text or "killed by SIGKILL" in text


def count_calls(host: LabHost, call: str) -> tuple[int, int]:
    """Return how many such calls a whole run makes, and how many of them come before any of the data folder's."""
    log = host.folder / "strace.log"
    host.run("ship", "once", prefix=(*tracer(), "-o", str(log), "-e", f"trace={call}"))
    lines = [line for line in log.read_text(errors="replace").splitlines() if _CALL.match(line)]
    ours = [number for number, line in enumerate(lines) if str(host.data) in line]
    return len(lines), ours[0] if ours else 0


def check(host: LabHost, receiver: StandIn) -> None:
    """Run until nothing is left to do, and see that everything is where it belongs."""
    for _ in range(3):
        if not host.where()["episodes"] and not host.where()["outbox"]:
            break
        ship(host)
    assert host.where() == {
        "episodes": [],
        "outbox": [],
        "shipped": ["good", "good-2", "good-2.receipt.json", "good.receipt.json"],
        "quarantine": ["bad"],
    }
    for name in ("good", "good-2"):
        assert json.loads((host.data / "shipped" / f"{name}.receipt.json").read_text()) == receiver.stored[name]
        assert unpacked_digest(receiver.archives[name]) == receiver.stored[name]["manifest_digest"]
    reason = json.loads((host.data / "quarantine" / "bad" / "quarantine_reason.json").read_text())
    assert reason["reason"] == "commit_not_in_window"
    assert sorted(receiver.stored) == ["good", "good-2"]
    left = [path.name for folder in ("outbox", "episodes", ".ship") for path in (host.data / folder).glob(".*.tmp")]
    assert [name for name in left if "state" not in name and "cleanup" not in name] == []


def survive_all(folder: Path, call: str, fault: str, *, step: int = 1) -> int:
    """Let every n-th call fail in a world of its own; return how many did."""
    with world(folder / "count") as (host, _):
        total, first = count_calls(host, call)
    faults = 0
    for number in range(first + 1, total + 1, step):
        with world(folder / f"{call}-{number}") as (host, receiver):
            _, came = faulty_run(host, call, fault, number)
            faults += came
            check(host, receiver)
    return faults


@pytest.fixture
def survived(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> Callable[[str, str], int]:
    """Return ``survive_all`` with its count printed, which `inv test --slow` shows."""

    def counted(call: str, fault: str) -> int:
        faults = survive_all(tmp_path, call, fault)
        with capsys.disabled():
            print(f"\nshipper, {call}, {fault}: {faults} faults, {3 * faults} episodes, 0 lost, 0 doubled")
        return faults

    return counted


@pytest.mark.contract("S2")
@pytest.mark.parametrize("call", ["rename", "fsync"])
def test_a_shipper_that_is_killed_at_any_step_loses_and_doubles_nothing(tmp_path: Path, call: str) -> None:
    assert survive_all(tmp_path, call, KILL) >= 8


@pytest.mark.soak
@pytest.mark.contract("S2")
@pytest.mark.parametrize("call", ["unlink", "openat", "write", "pwrite64", "mkdir"])
def test_a_shipper_that_is_killed_at_any_other_call_loses_and_doubles_nothing(
    survived: Callable[[str, str], int], call: str
) -> None:
    assert survived(call, KILL) >= 1


@pytest.mark.soak
@pytest.mark.contract("S2")
@pytest.mark.parametrize("error", ["EIO", "ENOSPC"])
@pytest.mark.parametrize("call", ["rename", "fsync", "unlink", "openat", "write", "pwrite64"])
def test_a_disk_that_fails_at_any_call_loses_and_doubles_nothing(
    survived: Callable[[str, str], int], call: str, error: str
) -> None:
    assert survived(call, f"error={error}") >= 1
