from collections.abc import Callable
from pathlib import Path

import pytest

from dce_play.discord.archive.append.append import AppendOptions, ReaderSafe, append
from dce_play.discord.archive.records.cursor import read_cursor
from dce_play.discord.archive.records.journal import JournalDamaged, error_mark, pending_journals
from dce_play.discord.archive.records.records import read_appends
from dce_play.discord.archive.records.recover import (
    JournalStranded,
    RecoveryState,
    discard_journal,
    recover,
    recover_channel,
    settled,
)
from dce_play.discord.archive.records.write_errors import WriteFailed
from dce_play.discord.archive.scan.damage import DamagedFile
from dce_play.discord.archive.scan.tail import NotCanonical
from dce_play.errors import ExitCode
from dce_play.layout import TargetLayout
from dce_play.snowflake import ChannelId
from dce_play.system.durable.disk import REAL, Disk
from dce_play.system.lock.file_lock import FileBusy, flock_file
from tests.support.bounds import at_most
from tests.support.channel_files import channel_bytes, write_channel
from tests.support.fakes import FakeClock

CHANNEL = ChannelId("111")
OLD, NEW = channel_bytes([1, 2]), channel_bytes([1, 2, 3])


class Dies(BaseException):
    """The process ends here."""


class DyingDisk(Disk):
    """Dies at the journal's removal, or in the middle of the payload."""

    def __init__(self, *, in_payload: bool) -> None:
        self._in_payload = in_payload

    def write_at(self, descriptor: int, data: bytes, offset: int) -> None:
        if self._in_payload and offset > 0:
            super().write_at(descriptor, data[:100], offset)
            raise Dies
        super().write_at(descriptor, data, offset)

    def unlink(self, path: Path) -> None:
        if path.name == "111.json":
            raise Dies
        super().unlink(path)


class Interrupted:
    """A channel file whose append was interrupted."""

    def __init__(self, folder: Path, *, in_payload: bool) -> None:
        self.layout = TargetLayout(folder)
        self.archive = write_channel(folder / "room [111].json", [1, 2])
        self.delta = write_channel(folder / ".dce-temp/export.111.x/export.json", [3])
        with pytest.raises(Dies):
            self.append(DyingDisk(in_payload=in_payload))
        self.journal = self.layout.journal(CHANNEL)

    def append(self, disk: Disk = REAL) -> None:
        options = AppendOptions(run_id="r", reader_safe=ReaderSafe.OFF)
        append(self.archive, [self.delta], options, layout=self.layout, clock=FakeClock(), disk=disk)


Begin = Callable[..., Interrupted]


@pytest.fixture
def interrupted(tmp_path: Path) -> Begin:
    return lambda *, in_payload: Interrupted(tmp_path, in_payload=in_payload)


def test_a_half_written_payload_is_rolled_back(interrupted: Begin) -> None:
    case = interrupted(in_payload=True)

    (recovery,) = recover(case.layout)

    assert (recovery.state, recovery.archive) == (RecoveryState.ROLLED_BACK, case.archive)
    assert case.archive.read_bytes() == OLD
    assert pending_journals(case.layout, disk=REAL) == []
    assert list(read_appends(case.layout)) == []


def test_a_whole_payload_is_rolled_forward_with_its_line(interrupted: Begin) -> None:
    case = interrupted(in_payload=False)

    (recovery,) = recover(case.layout)

    assert recovery.state is RecoveryState.ROLLED_FORWARD
    assert case.archive.read_bytes() == NEW
    assert [line.count for line in read_appends(case.layout)] == [1]


@pytest.mark.parametrize("in_payload", [True, False])
def test_the_next_append_recovers_and_goes_on(interrupted: Begin, in_payload: bool) -> None:
    case = interrupted(in_payload=in_payload)

    case.append()

    assert case.archive.read_bytes() == NEW
    assert [line.count for line in read_appends(case.layout)] == [1]


def test_recovering_twice_is_recovering_once(interrupted: Begin) -> None:
    case = interrupted(in_payload=True)
    recover(case.layout)

    assert recover(case.layout) == []
    assert recover_channel(case.layout, CHANNEL).state is RecoveryState.NOTHING


def test_marked_data_is_rolled_back_though_all_of_it_can_be_read(interrupted: Begin) -> None:
    case = interrupted(in_payload=False)
    error_mark(case.journal).touch()

    (recovery,) = recover(case.layout)

    assert recovery.state is RecoveryState.ROLLED_BACK
    assert case.archive.read_bytes() == OLD
    assert not error_mark(case.journal).exists()


class FailingSync(Disk):
    """Loses data at the fsync of a channel file."""

    def sync(self, descriptor: int) -> None:
        if self.facts(descriptor).size_bytes > 1200:
            raise OSError(5, "Input/output error")
        super().sync(descriptor)


def test_a_failed_fsync_is_marked_and_not_tried_again(tmp_path: Path) -> None:
    layout = TargetLayout(tmp_path)
    archive = write_channel(tmp_path / "room [111].json", [1, 2])
    delta = write_channel(tmp_path / "delta/export.json", [3])

    with pytest.raises(WriteFailed, match="Input/output error"):
        append(archive, [delta], AppendOptions(run_id="r"), layout=layout, clock=FakeClock(), disk=FailingSync())

    assert error_mark(layout.journal(CHANNEL)).exists()
    assert [recovery.state for recovery in recover(layout)] == [RecoveryState.ROLLED_BACK]
    assert archive.read_bytes() == OLD


def test_a_journal_that_never_got_its_name_is_removed(interrupted: Begin, tmp_path: Path) -> None:
    case = interrupted(in_payload=True)
    recover(case.layout)
    leftover = case.journal.with_suffix(".json.tmp")
    leftover.write_bytes(b"half a jour")

    case.append()

    assert not leftover.exists()
    assert case.archive.read_bytes() == NEW


class TestRefusals:
    """What recovery does not dare to touch."""

    @staticmethod
    def refused(case: Interrupted) -> str:
        data = case.archive.read_bytes() if case.archive.exists() else None
        (recovery,) = recover(case.layout)
        assert recovery.state is RecoveryState.REFUSED
        assert (case.archive.read_bytes() if case.archive.exists() else None) == data
        assert case.journal.exists()
        return recovery.reason

    def test_a_replaced_file(self, interrupted: Begin, tmp_path: Path) -> None:
        case = interrupted(in_payload=True)
        other = write_channel(tmp_path / "other", [1, 2, 7])
        other.replace(case.archive)

        assert self.refused(case) == "another program has replaced the file"

    def test_a_file_that_is_gone(self, interrupted: Begin) -> None:
        case = interrupted(in_payload=True)
        case.archive.unlink()

        assert self.refused(case) == "it is gone"

    def test_other_bytes_before_the_cut(self, interrupted: Begin) -> None:
        case = interrupted(in_payload=True)
        data = case.archive.read_bytes()
        case.archive.write_bytes(data.replace(b"message 1", b"massage 1"))

        assert self.refused(case) == "the bytes before the append have changed"

    def test_a_file_that_has_grown_further(self, interrupted: Begin) -> None:
        case = interrupted(in_payload=True)
        case.archive.write_bytes(channel_bytes(range(1, 9)))

        assert "size" in self.refused(case)

    def test_a_file_cut_before_the_cut(self, interrupted: Begin) -> None:
        case = interrupted(in_payload=True)
        case.archive.write_bytes(case.archive.read_bytes()[:300])

        assert "size" in self.refused(case)

    @pytest.mark.parametrize("position", [0, 40, 300])
    def test_a_journal_with_a_flipped_byte(self, interrupted: Begin, position: int) -> None:
        case = interrupted(in_payload=True)
        data = bytearray(case.journal.read_bytes())
        data[position] ^= 1
        case.journal.write_bytes(data)

        assert "checksum" in self.refused(case)

    def test_an_append_stops_with_the_way_out(self, interrupted: Begin, tmp_path: Path) -> None:
        case = interrupted(in_payload=True)
        write_channel(tmp_path / "other", [1, 2, 7]).replace(case.archive)

        with pytest.raises(JournalStranded) as caught:
            case.append()

        assert "--discard-journal" in caught.value.hint


class TestDiscarding:
    """The answer to a refusal."""

    def test_a_stranded_journal_is_set_aside_when_the_file_is_sound(self, interrupted: Begin, tmp_path: Path) -> None:
        case = interrupted(in_payload=True)
        write_channel(tmp_path / "other", [1, 2, 7]).replace(case.archive)

        aside = discard_journal(case.archive, layout=case.layout)

        assert aside.exists()
        assert pending_journals(case.layout, disk=REAL) == []
        assert read_cursor(case.archive, layout=case.layout).last_id == "7"

    def test_a_damaged_journal_is_set_aside_when_the_file_is_sound(self, interrupted: Begin) -> None:
        case = interrupted(in_payload=False)
        case.journal.write_bytes(b"{}")

        discard_journal(case.archive, layout=case.layout)

        assert case.archive.read_bytes() == NEW
        assert recover(case.layout) == []

    def test_the_journal_stays_while_the_file_is_damaged(self, interrupted: Begin) -> None:
        case = interrupted(in_payload=True)
        case.journal.write_bytes(b"{}")

        with pytest.raises((DamagedFile, NotCanonical)):
            discard_journal(case.archive, layout=case.layout)

        with pytest.raises(JournalDamaged):
            recover_channel(case.layout, CHANNEL)

    def test_an_append_that_can_be_undone_is_undone(self, interrupted: Begin) -> None:
        case = interrupted(in_payload=True)

        discard_journal(case.archive, layout=case.layout)

        assert case.archive.read_bytes() == OLD


class LyingDisk(Disk):
    """Says that it wrote a channel file's end, and did not."""

    def write_at(self, descriptor: int, data: bytes, offset: int) -> None:
        if offset == 0:
            super().write_at(descriptor, data, offset)


def test_a_rollback_that_was_not_written_keeps_its_journal(interrupted: Begin) -> None:
    case = interrupted(in_payload=True)

    with pytest.raises(WriteFailed, match="read back"):
        recover_channel(case.layout, CHANNEL, disk=LyingDisk())

    recover(case.layout)
    assert case.archive.read_bytes() == OLD


def test_another_runs_append_is_waited_for_so_long(tmp_path: Path) -> None:
    archive, clock = write_channel(tmp_path / "room [111].json", [1]), FakeClock()
    with flock_file(archive), pytest.raises(FileBusy) as busy:  # noqa: SIM117 - the lock is held around the whole try
        with settled(archive, CHANNEL, layout=TargetLayout(tmp_path), clock=clock):
            pass
    assert sum(clock.sleeps) == pytest.approx(at_most("discord.archive.records.recover:FILE_LOCK_WAIT_S"), abs=0.25)
    assert sum(clock.sleeps[:-1]) < at_most("discord.archive.records.recover:FILE_LOCK_WAIT_S")
    assert busy.value.exit_code == ExitCode.LOCKED
    assert archive.read_bytes() == channel_bytes([1])
