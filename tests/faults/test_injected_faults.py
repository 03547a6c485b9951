"""Real append processes, killed or lied to at each of their file calls by strace.

Every case starts from a torn channel file whose journal is pending, so that the calls of a recovery are among those
that fail. The N-th call of a kind fails, for N = 1, 2, … until the process survives.
"""

import os
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import pytest

from benchmarks.generate import CHANNEL_ID, write_export
from dce_play.discord.archive.append.append import AppendOptions, ReaderSafe, append
from dce_play.discord.archive.records.journal import pending_journals
from dce_play.discord.archive.records.records import read_appends
from dce_play.discord.archive.records.recover import RecoveryState, recover
from dce_play.layout import TargetLayout
from dce_play.snowflake import ChannelId
from dce_play.system.clock import SystemClock
from dce_play.system.durable.disk import Disk
from tests.support import forked
from tests.support.call_order import tracer

pytestmark = pytest.mark.strace

CHANNEL = ChannelId(CHANNEL_ID)
OPTIONS = AppendOptions(run_id="check", exporter="test", reader_safe=ReaderSafe.OFF)
MOST_CALLS = 60
KILL = "signal=SIGKILL"
CASES = [
    *(pytest.param(call, KILL, id=f"{call} killed") for call in ("openat", "rename", "unlink", "ftruncate")),
    *(pytest.param(call, KILL, id=f"{call} killed") for call in ("pwrite64", "fsync")),
    *(pytest.param(call, "error=EIO", id=f"{call} EIO") for call in ("openat", "rename", "unlink", "ftruncate")),
    *(pytest.param(call, "error=EIO", id=f"{call} EIO") for call in ("pwrite64", "fsync")),
    *(pytest.param(call, "error=ENOSPC", id=f"{call} ENOSPC") for call in ("pwrite64", "fsync", "rename")),
    pytest.param("pwrite64", "retval=40", id="pwrite64 lies about 40 bytes"),
]


class _Dies(Exception):
    """Stands for a process that ends in the middle of a write."""


class _HalfWritten(Disk):
    """Ends after half of the first write to a channel file."""

    def write_at(self, descriptor: int, data: bytes, offset: int) -> None:
        if offset == 0:
            super().write_at(descriptor, data, offset)
            return
        super().write_at(descriptor, data[: len(data) // 2], offset)
        raise _Dies


@dataclass(frozen=True)
class World:
    layout: TargetLayout
    archive: Path
    delta: Path
    old: bytes
    new: bytes
    torn: dict[Path, bytes]
    strace: str

    def tear(self) -> None:
        """Put the torn channel file and its journal in place, on the inode that the journal names."""
        for folder in (self.layout.meta / "journal", self.layout.meta / "records", self.layout.meta):
            for path in folder.glob("*"):
                if path.is_file():
                    path.unlink()
        for path, data in self.torn.items():
            path.write_bytes(data)

    def run(self, call: str, fault: str, number: int) -> tuple[subprocess.CompletedProcess[str], bool]:
        """Run one append in which that call fails; return how it ended and whether the fault came at all."""
        log = self.delta.with_name("strace.log")
        meta = self.layout.meta
        journal = self.layout.journal(CHANNEL)
        record = self.layout.record(CHANNEL)
        folders = [self.layout.folder, meta, journal.parent, record.parent]
        files = [self.archive, journal, self.layout.appends, record]
        temporaries = [path.with_name(f"{path.name}.tmp") for path in (journal, record)]
        watched = [word for path in (*folders, *files, *temporaries) for word in ("-P", str(path))]
        finished = forked.run_traced(
            (self.strace, *tracer(fault)[1:], "-qq", "-o", str(log), *watched,
             f"--trace={call}", f"--inject={call}:{fault}:when={number}"),
            [sys.executable, "-m", "tests.faults.append_once", str(self.archive), str(self.delta)],
            text=True,
        )  # fmt: skip
        return finished, "INJECTED" in log.read_text() or finished.returncode < 0


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> World:
    strace = shutil.which("strace")
    if strace is None:
        if os.environ.get("CI") == "true":
            pytest.fail("strace is not installed: these tests must not be skipped in CI")
        pytest.skip("strace is not installed")
    folder = tmp_path_factory.mktemp("target")
    layout = TargetLayout(folder)
    archive = write_export(folder / f"synthetic [{CHANNEL_ID}].json", range(3))
    delta = write_export(tmp_path_factory.mktemp("delta") / "delta.json", range(3, 5))
    old = archive.read_bytes()
    with pytest.raises(_Dies):
        append(archive, [delta], OPTIONS, layout=layout, clock=SystemClock(), disk=_HalfWritten())
    torn = {path: path.read_bytes() for path in (archive, layout.journal(CHANNEL))}
    append(archive, [delta], OPTIONS, layout=layout, clock=SystemClock())
    return World(
        layout=layout, archive=archive, delta=delta, old=old, new=archive.read_bytes(), torn=torn, strace=strace
    )


@pytest.mark.contract("R-3.11", "R-3.12", "R-15.07", "R-19.04")
@pytest.mark.parametrize(("call", "fault"), CASES)
def test_a_fault_at_any_call_leaves_old_or_new(world: World, call: str, fault: str) -> None:
    hits = 0
    for number in range(1, MOST_CALLS):
        world.tear()
        finished, came = world.run(call, fault, number)
        check(world, finished)
        if not came:
            break
        hits += 1

    assert finished.returncode == 0, finished.stderr
    assert 0 < hits < MOST_CALLS - 1


def test_a_failed_fsync_of_the_data_is_rolled_back_though_all_bytes_can_be_read(world: World) -> None:
    outcomes = []
    for number in range(1, MOST_CALLS):
        world.tear()
        recover(world.layout)
        finished, came = world.run("fsync", "error=EIO", number)
        if not came:
            break
        full = world.archive.read_bytes() == world.new
        states = [recovery.state for recovery in recover(world.layout)]
        outcomes.append((full, states, "WriteFailed" in finished.stderr))

    assert (True, [RecoveryState.ROLLED_BACK], True) in outcomes


def check(world: World, finished: subprocess.CompletedProcess[str]) -> None:
    """Hold what is left to the promise: acknowledged means there; else old or new after a recovery."""
    if finished.returncode == 0:
        assert world.archive.read_bytes() == world.new
        assert "appended 2" in finished.stdout
    else:
        assert finished.returncode < 0 or "Failed" in finished.stderr or "NotEnoughSpace" in finished.stderr, finished
    recoveries = recover(world.layout)
    assert RecoveryState.REFUSED not in [recovery.state for recovery in recoveries]
    assert world.archive.read_bytes() in {world.old, world.new}
    append(world.archive, [world.delta], OPTIONS, layout=world.layout, clock=SystemClock())
    assert world.archive.read_bytes() == world.new
    assert not pending_journals(world.layout, disk=Disk())
    assert len(list(read_appends(world.layout, CHANNEL))) == 1
