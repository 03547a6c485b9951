"""One append in place against a disk that fails in one way at one call."""

import errno
from pathlib import Path

import pytest

from dce_play.discord.archive.append.append import AppendOptions, ReaderSafe, append
from dce_play.discord.archive.records.journal import pending_journals
from dce_play.discord.archive.records.recover import recover
from dce_play.discord.archive.records.write_errors import NotEnoughSpace, WriteFailed
from dce_play.errors import DcePlayError
from dce_play.layout import TargetLayout
from dce_play.system.durable.disk import REAL, Disk
from tests.support.channel_files import channel_bytes, write_channel
from tests.support.fakes import FakeClock

OLD, NEW = channel_bytes([1]), channel_bytes([1, 2])


class FailingDisk(Disk):
    """Fails once, at the n-th write."""

    def __init__(self, at: int, number: int) -> None:
        self._left = at
        self._number = number

    def write_at(self, descriptor: int, data: bytes, offset: int) -> None:
        self._left -= 1
        if self._left == 0:
            super().write_at(descriptor, data[: len(data) // 2], offset)
            raise OSError(self._number, "it failed")
        super().write_at(descriptor, data, offset)


@pytest.fixture
def layout(tmp_path: Path) -> TargetLayout:
    return TargetLayout(tmp_path)


def run(layout: TargetLayout, disk: Disk) -> Path:
    archive = write_channel(layout.folder / "room [111].json", [1])
    delta = write_channel(layout.folder / "delta/export.json", [2])
    options = AppendOptions(run_id="r", reader_safe=ReaderSafe.OFF)
    append(archive, [delta], options, layout=layout, clock=FakeClock(), disk=disk)
    return archive


@pytest.mark.contract("R-3.12", "D-52", "R-19.04")
@pytest.mark.parametrize(("number", "kind"), [(errno.ENOSPC, NotEnoughSpace), (errno.EIO, WriteFailed)])
@pytest.mark.parametrize("at", [1, 2])
def test_a_write_that_fails_is_undone_at_once(
    layout: TargetLayout, at: int, number: int, kind: type[DcePlayError]
) -> None:
    with pytest.raises(kind):
        run(layout, FailingDisk(at, number))

    assert (layout.folder / "room [111].json").read_bytes() == OLD
    assert pending_journals(layout, disk=REAL) == []


def test_a_line_that_cannot_be_written_leaves_the_append_to_be_finished(layout: TargetLayout) -> None:
    with pytest.raises(NotEnoughSpace):
        run(layout, FailingDisk(3, errno.ENOSPC))

    assert len(pending_journals(layout, disk=REAL)) == 1
    recover(layout)
    assert (layout.folder / "room [111].json").read_bytes() == NEW


def test_a_record_that_cannot_be_written_fails_nothing(layout: TargetLayout) -> None:
    assert run(layout, FailingDisk(4, errno.ENOSPC)).read_bytes() == NEW


class ForgetfulDisk(Disk):
    """Writes the payload but for one byte, and says all."""

    def write_at(self, descriptor: int, data: bytes, offset: int) -> None:
        super().write_at(descriptor, data.replace(b"message 2", b"massage 2"), offset)


def test_a_write_that_lied_is_caught_and_undone(layout: TargetLayout) -> None:
    with pytest.raises(WriteFailed, match="read back"):
        run(layout, ForgetfulDisk())

    assert (layout.folder / "room [111].json").read_bytes() == OLD
