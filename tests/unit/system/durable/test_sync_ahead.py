"""Syncing ahead never makes bytes look durable that are not."""

import errno
import os
import threading
from pathlib import Path

import pytest

from dce_play.system.durable.disk import Disk
from dce_play.system.durable.sync_ahead import SyncAhead


class TellsOnce(Disk):
    """Fails one sync, as the kernel does: the next one succeeds with the bytes gone."""

    def __init__(self) -> None:
        self.failed = False

    def sync_data(self, descriptor: int) -> None:  # noqa: ARG002 - as the disk has it
        if not self.failed:
            self.failed = True
            raise OSError(errno.EIO, "no")


def test_a_sync_that_failed_ahead_is_told_each_time_it_is_asked_for(tmp_path: Path) -> None:
    disk = TellsOnce()
    descriptor = disk.open(tmp_path / "a", os.O_WRONLY | os.O_CREAT)
    ahead = SyncAhead(disk, descriptor)
    ahead.wrote_to(64 << 20)
    for _ in range(2):
        with pytest.raises(OSError, match="no"):
            ahead.settle()
    ahead.wrote_to(128 << 20)
    with pytest.raises(OSError, match="no"):
        ahead.settle()
    disk.close(descriptor)


def test_a_small_file_needs_none(tmp_path: Path) -> None:
    disk = TellsOnce()
    descriptor = disk.open(tmp_path / "a", os.O_WRONLY | os.O_CREAT)
    ahead = SyncAhead(disk, descriptor)
    ahead.wrote_to(1 << 20)
    ahead.settle()
    assert not disk.failed
    disk.close(descriptor)


class Noting(Disk):
    """Notes which descriptor was synced, and whether the process would wait for that at its end."""

    def __init__(self) -> None:
        self.synced: list[tuple[int, bool]] = []

    def sync_data(self, descriptor: int) -> None:
        super().sync_data(descriptor)
        self.synced.append((descriptor, not threading.current_thread().daemon))


def test_the_file_is_synced_every_eight_mebibytes_and_no_exit_waits_for_it(tmp_path: Path) -> None:
    disk = Noting()
    descriptor = disk.open(tmp_path / "a", os.O_WRONLY | os.O_CREAT)
    ahead = SyncAhead(disk, descriptor)
    counts = []
    for at in ((8 << 20) - 1, 8 << 20, (16 << 20) - 1, 16 << 20, 17 << 20):
        ahead.wrote_to(at)
        ahead.settle()
        counts.append(len(disk.synced))
    assert counts == [0, 1, 1, 2, 2]
    assert set(disk.synced) == {(descriptor, False)}
    disk.close(descriptor)
