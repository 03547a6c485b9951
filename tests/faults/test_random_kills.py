"""A hundred append processes, killed at a random moment each, on one growing channel file."""

import random
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from benchmarks.generate import CHANNEL_ID, write_export
from dce_play.discord.archive.records.journal import pending_journals
from dce_play.discord.archive.records.records import read_appends
from dce_play.discord.archive.records.recover import RecoveryState, recover
from dce_play.layout import TargetLayout
from dce_play.system.durable.disk import REAL
from tests.support import forked
from tests.support.channel_files import ids_in

KILLS = 100
STEP = 400
LIVES_S = (0.006, 0.02, 0.12)
"""How long a process may live at most, in seconds: an append takes some milliseconds on a quiet machine."""


@pytest.mark.slow
@pytest.mark.contract("R-3.11", "R-15.07")
def test_a_hundred_kills_lose_nothing_and_tear_nothing(tmp_path: Path) -> None:
    dice = random.Random(20261121)
    layout = TargetLayout(tmp_path / "target")
    layout.folder.mkdir()
    archive = write_export(layout.folder / f"synthetic [{CHANNEL_ID}].json", range(STEP))
    whole = write_export(tmp_path / "whole.json", range(STEP))
    count = STEP
    seen: set[object] = set()

    in_the_middle = {RecoveryState.ROLLED_BACK, RecoveryState.ROLLED_FORWARD}
    for number in range(4 * KILLS):
        if number >= KILLS and seen & in_the_middle and "acknowledged" in seen:
            break
        delta = write_export(tmp_path / "delta.json", range(count, count + STEP))
        longer = 1 + number // KILLS  # a busy machine is slower
        acknowledged = _append_and_kill(archive, delta, after_s=longer * dice.uniform(0, dice.choice(LIVES_S)))
        recoveries = recover(layout)
        seen |= {recovery.state for recovery in recoveries} | ({"acknowledged"} if acknowledged else set())
        grown = archive.stat().st_size > whole.stat().st_size
        assert grown or not acknowledged
        if grown:
            count += STEP
            write_export(whole, range(count))
        assert archive.read_bytes() == whole.read_bytes()
        assert pending_journals(layout, disk=REAL) == []
        assert [line.count for line in read_appends(layout)] == [STEP] * (count // STEP - 1)
        if count > 20 * STEP:  # keep the file small: what is tested is the append
            count = STEP
            whole.write_bytes(write_export(archive, range(count)).read_bytes())
            layout.appends.unlink()

    assert len(ids_in(archive)) == count
    assert "acknowledged" in seen
    assert seen & in_the_middle, "no kill met an append in its middle"


def _append_and_kill(archive: Path, delta: Path, *, after_s: float) -> bool:
    """Let a process append for a while, kill it, and return whether it had said that it was done."""
    argv = [sys.executable, "-m", "tests.faults.append_once", str(archive), str(delta)]
    with forked.start(argv, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "ready\n"
        time.sleep(after_s)
        process.send_signal(signal.SIGKILL)
        return "appended" in process.stdout.read()
