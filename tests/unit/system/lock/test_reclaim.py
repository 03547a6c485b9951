"""Tidying up: the note goes, under the lock; the lock file and a held lock stay."""

import os
import subprocess
from datetime import UTC, datetime
from pathlib import Path

import pytest

from dce_play.errors import ExitCode
from dce_play.system.lock.held import LockHeld
from dce_play.system.lock.note import LockMeta, encode_meta, meta_path, own_meta
from dce_play.system.lock.reclaim import HolderRuns, reclaim
from tests.support.processes import running

DEAD = encode_meta(LockMeta(pid=99_999_999, cmd="gone"))


@pytest.mark.contract("R-5.04", "R-5.09", "L-07")
def test_a_dead_runs_note_goes_and_the_lock_file_stays(lock: Path) -> None:
    meta_path(lock).write_bytes(DEAD)
    before = lock.stat().st_ino
    removed = reclaim(lock)
    assert removed is not None
    assert removed.cmd == "gone"
    assert not meta_path(lock).exists()
    assert lock.stat().st_ino == before


@pytest.mark.contract("R-5.09")
def test_reclaiming_twice_changes_nothing_more(lock: Path) -> None:
    meta_path(lock).write_bytes(DEAD)
    reclaim(lock)
    assert reclaim(lock) is None


@pytest.mark.contract("R-5.09", "D-16")
def test_a_note_without_a_lock_file_is_removed(lock: Path) -> None:
    lock.unlink()
    meta_path(lock).write_bytes(DEAD)
    assert reclaim(lock) is not None
    assert not meta_path(lock).exists()


def test_without_a_note_nothing_is_made(tmp_path: Path) -> None:
    assert reclaim(tmp_path / "x.lock") is None
    assert not list(tmp_path.iterdir())


@pytest.mark.contract("R-5.09")
@pytest.mark.parametrize("force", [False, True])
def test_a_held_lock_keeps_its_note_even_when_forced(lock: Path, force: bool) -> None:
    meta_path(lock).write_bytes(DEAD)
    with running(["flock", lock, "sh", "-c", "echo held; sleep 600"], until="held"), pytest.raises(LockHeld):
        reclaim(lock, force=force)
    assert meta_path(lock).exists()


def test_a_living_writers_note_goes_only_when_forced(lock: Path) -> None:
    ours = own_meta(cmd="alive", run_id="", now=datetime.now(UTC))
    meta_path(lock).write_bytes(encode_meta(ours))
    with pytest.raises(HolderRuns, match=r"^Cannot reclaim: lock holder pid is still running\.$") as refused:
        reclaim(lock)
    assert refused.value.exit_code == ExitCode.USAGE
    assert reclaim(lock, force=True) == ours
    assert not meta_path(lock).exists()


def test_a_torn_note_goes_only_when_forced(lock: Path) -> None:
    meta_path(lock).write_bytes(b"\0" * 20)
    assert reclaim(lock) is None
    assert meta_path(lock).exists()
    reclaim(lock, force=True)
    assert not meta_path(lock).exists()


def test_the_lock_is_free_after_every_outcome(lock: Path) -> None:
    meta_path(lock).write_bytes(DEAD)
    reclaim(lock)
    meta_path(lock).write_bytes(encode_meta(LockMeta(pid=os.getpid())))
    with pytest.raises(HolderRuns):
        reclaim(lock)
    assert subprocess.run(["flock", "-n", lock, "true"], check=False).returncode == 0
