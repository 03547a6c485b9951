"""One append in place against a disk that fails in one way at one call."""

import errno
import hashlib
import re
from pathlib import Path

import pytest

from dce_play.discord.archive.append.append import AppendOptions, ReaderSafe, append
from dce_play.discord.archive.records.journal import AppendJournal, pending_journals, read_journal
from dce_play.discord.archive.records.records import read_appends
from dce_play.discord.archive.records.recover import RecoveryState, recover
from dce_play.discord.archive.records.write_errors import CannotClone, NotEnoughSpace, WriteFailed
from dce_play.errors import DcePlayError
from dce_play.layout import TargetLayout
from dce_play.snowflake import ChannelId, MessageId
from dce_play.system.durable.disk import REAL, Disk
from tests.support.channel_files import channel_bytes, write_channel
from tests.support.fakes import FakeClock

CHANNEL = ChannelId("111")
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


def run(layout: TargetLayout, disk: Disk, way: ReaderSafe = ReaderSafe.OFF) -> Path:
    archive = write_channel(layout.folder / "room [111].json", [1])
    delta = write_channel(layout.folder / "delta/export.json", [2])
    options = AppendOptions(run_id="r", exporter="t", exporter_version="2.46", reader_safe=way)
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

    archive = layout.folder / "room [111].json"
    assert pending_journals(layout, disk=REAL) == [layout.journal(CHANNEL)]
    journal = read_journal(REAL, layout.journal(CHANNEL))
    assert journal is not None
    cut, facts = OLD.rindex(b"\n  ]"), archive.stat()
    assert journal == AppendJournal(
        append_id=journal.append_id,
        archive=Path("room [111].json"),
        channel_id=CHANNEL,
        device=facts.st_dev,
        inode=facts.st_ino,
        size_bytes=len(OLD),
        cut=cut,
        old_tail=OLD[cut:],
        anchor=hashlib.sha256(OLD[:cut]).hexdigest(),
        new_size_bytes=len(NEW),
        cut_after=NEW.rindex(b"\n  ]"),
        payload_sha256=hashlib.sha256(NEW[cut:]).hexdigest(),
        count_before=1,
        count=1,
        first_id=MessageId("2"),
        last_id=MessageId("2"),
        run_id="r",
        started="2026-11-21T01:15:07Z",
        exporter="t",
        exporter_version="2.46",
        exported_at="2026-01-05T00:00:00+00:00",
    )
    assert [each.state for each in recover(layout)] == [RecoveryState.ROLLED_FORWARD]
    assert archive.read_bytes() == NEW
    assert [line.append_id for line in read_appends(layout)] == [journal.append_id]


def test_a_record_that_cannot_be_written_fails_nothing(layout: TargetLayout) -> None:
    assert run(layout, FailingDisk(4, errno.ENOSPC)).read_bytes() == NEW


class ForgetfulDisk(Disk):
    """Writes the payload but for one byte, and says all."""

    def write_at(self, descriptor: int, data: bytes, offset: int) -> None:
        super().write_at(descriptor, data.replace(b"message 2", b"massage 2"), offset)


def test_a_write_that_lied_is_caught_and_undone(layout: TargetLayout) -> None:
    archive = layout.folder / "room [111].json"
    told = re.escape(f"writing to {archive} failed: ") + ".*what was written is not what can be read back$"
    with pytest.raises(WriteFailed, match=told):
        run(layout, ForgetfulDisk())

    assert archive.read_bytes() == OLD
    assert pending_journals(layout, disk=REAL) == []


@pytest.mark.parametrize("way", [ReaderSafe.REWRITE, ReaderSafe.AUTO])
def test_a_copy_whose_write_lied_does_not_take_the_name(layout: TargetLayout, way: ReaderSafe) -> None:
    class ForgetfulClones(ForgetfulDisk):
        def clone(self, source: int, destination: int) -> None:
            self.copy(source, destination, self.facts(source).size_bytes)

    with pytest.raises(WriteFailed, match=r"what was written is not what can be read back$"):
        run(layout, ForgetfulClones(), way)

    assert (layout.folder / "room [111].json").read_bytes() == OLD


def test_an_undo_that_lied_leaves_the_journal_to_the_next(layout: TargetLayout) -> None:
    class Broken(Disk):
        def write_at(self, descriptor: int, data: bytes, offset: int) -> None:
            super().write_at(descriptor, data.replace(b'"messageCount"', b'"massageCount"'), offset)

    archive = layout.folder / "room [111].json"
    told = re.escape(f"writing to {archive} failed: what was written is not what can be read back")
    with pytest.raises(WriteFailed, match=f"^{told}$"):
        run(layout, Broken())

    assert pending_journals(layout, disk=REAL) == [layout.journal(CHANNEL)]
    assert [each.state for each in recover(layout)] == [RecoveryState.ROLLED_BACK]
    assert archive.read_bytes() == OLD


class FailingSync(Disk):
    """Fails to make one file durable."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def sync(self, descriptor: int) -> None:
        if self.facts_of(self._path) == self.facts(descriptor):
            raise OSError(errno.EIO, "it failed")
        super().sync(descriptor)


def test_after_a_sync_that_failed_the_append_is_undone_though_all_of_it_can_be_read(layout: TargetLayout) -> None:
    archive = layout.folder / "room [111].json"
    told = re.escape(f"writing to {archive} failed: [Errno 5] it failed")
    with pytest.raises(WriteFailed, match=f"^{told}$"):
        run(layout, FailingSync(archive))

    assert archive.read_bytes() == NEW
    assert [each.state for each in recover(layout)] == [RecoveryState.ROLLED_BACK]
    assert archive.read_bytes() == OLD


@pytest.mark.contract("R-19.04")
@pytest.mark.parametrize("state", [RecoveryState.ROLLED_FORWARD, RecoveryState.ROLLED_BACK])
def test_the_next_append_goes_on_from_what_became_of_the_last(layout: TargetLayout, state: RecoveryState) -> None:
    archive = layout.folder / "room [111].json"
    forward = state is RecoveryState.ROLLED_FORWARD
    with pytest.raises((NotEnoughSpace, WriteFailed)):
        run(layout, FailingDisk(3, errno.ENOSPC) if forward else FailingSync(archive))
    assert len(pending_journals(layout, disk=REAL)) == 1

    delta = write_channel(layout.folder / "delta/next.json", [3, 4])
    options = AppendOptions(run_id="r", reader_safe=ReaderSafe.OFF)
    outcome = append(archive, [delta], options, layout=layout, clock=FakeClock())

    assert outcome.recovery is state
    assert (outcome.before_count, outcome.after_count) == ((2, 4) if forward else (1, 3))
    assert archive.read_bytes() == channel_bytes([1, 2, 3, 4] if forward else [1, 3, 4])
    assert pending_journals(layout, disk=REAL) == []


def test_an_append_that_fails_after_another_was_undone_is_undone_too(layout: TargetLayout) -> None:
    archive = layout.folder / "room [111].json"
    with pytest.raises(WriteFailed):
        run(layout, FailingSync(archive))

    class FullForThree(Disk):
        def write_at(self, descriptor: int, data: bytes, offset: int) -> None:
            if b'"id": "3"' in data:
                raise OSError(errno.ENOSPC, "it failed")
            super().write_at(descriptor, data, offset)

    delta = write_channel(layout.folder / "delta/next.json", [3, 4])
    options = AppendOptions(run_id="r", reader_safe=ReaderSafe.OFF)
    with pytest.raises(NotEnoughSpace):
        append(archive, [delta], options, layout=layout, clock=FakeClock(), disk=FullForThree())

    assert archive.read_bytes() == OLD
    assert pending_journals(layout, disk=REAL) == []


class FailingClone(Disk):
    """Fails to clone and to copy with one number."""

    def __init__(self, number: int) -> None:
        self._number = number

    def clone(self, _source: int, _destination: int) -> None:
        raise OSError(self._number, "no")

    def copy(self, _source: int, _destination: int, _size_bytes: int) -> None:
        raise OSError(self._number, "no")


def test_only_where_nothing_can_be_cloned_the_append_goes_another_way(layout: TargetLayout) -> None:
    archive = layout.folder / "room [111].json"
    assert run(layout, FailingClone(errno.EPERM), ReaderSafe.AUTO).read_bytes() == NEW

    for way in (ReaderSafe.AUTO, ReaderSafe.REFLINK):
        with pytest.raises(WriteFailed, match=r"\[Errno 5\] no$") as caught:
            run(layout, FailingClone(errno.EIO), way)
        assert not isinstance(caught.value, CannotClone)
        assert archive.read_bytes() == OLD

    with pytest.raises(WriteFailed, match=r"\[Errno 1\] no$") as caught:
        run(layout, FailingClone(errno.EPERM), ReaderSafe.REWRITE)
    assert not isinstance(caught.value, CannotClone)

    with pytest.raises(CannotClone) as told:
        run(layout, FailingClone(errno.EPERM), ReaderSafe.REFLINK)
    assert str(told.value) == f"writing to {archive} failed: its file system cannot clone files"
