"""Syncing ahead never makes bytes look durable that are not."""

import errno
import os
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
