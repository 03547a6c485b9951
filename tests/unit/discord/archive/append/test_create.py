import os
import re
from pathlib import Path

import pytest

from dce_play.discord.archive.append.append import AppendOptions, AppendOutcome, append
from dce_play.discord.archive.append.create import ChannelFileExists, publish_first
from dce_play.discord.archive.append.delta import ForeignChannel
from dce_play.discord.archive.records.cursor import Cursor, read_cursor
from dce_play.discord.archive.records.records import read_appends
from dce_play.discord.archive.records.write_errors import NotEnoughSpace, WriteFailed
from dce_play.discord.archive.scan.damage import DamagedFile
from dce_play.discord.archive.scan.tail import NotCanonical
from dce_play.layout import TargetLayout
from dce_play.snowflake import ChannelId, MessageId
from dce_play.system.durable.disk import REAL, Disk
from tests.support.channel_files import channel_bytes, ids_in, write_channel
from tests.support.dying_disk import Dies, DyingDisk
from tests.support.fakes import FakeClock

OPTIONS = AppendOptions(run_id="r", exporter="t", exporter_version="2.46", channel_id=ChannelId("111"))


class Bench:
    def __init__(self, folder: Path) -> None:
        self.layout = TargetLayout(folder)
        self.export = folder / ".dce-temp/export.111.abc/export.json"
        self.export.parent.mkdir(parents=True)
        self.archive = folder / "room [111].json"

    def publish(self, data: bytes, disk: Disk = REAL) -> AppendOutcome:
        self.export.write_bytes(data)
        return publish_first(self.export, self.archive, OPTIONS, layout=self.layout, clock=FakeClock(), disk=disk)


@pytest.fixture
def bench(tmp_path: Path) -> Bench:
    return Bench(tmp_path)


@pytest.mark.contract("S-01", "R-3.11")
def test_the_export_becomes_the_archive_byte_for_byte(bench: Bench) -> None:
    bench.publish(channel_bytes([1, 2]))

    assert bench.archive.read_bytes() == channel_bytes([1, 2])
    assert not bench.export.exists()
    assert [path.name for path in bench.layout.folder.glob("*.json")] == [bench.archive.name]


def test_its_record_and_its_line_are_there(bench: Bench) -> None:
    bench.publish(channel_bytes([1, 2]))

    assert read_cursor(bench.archive, layout=bench.layout) == Cursor(
        channel_id=ChannelId("111"),
        last_id=MessageId("2"),
        message_count=2,
        size_bytes=len(channel_bytes([1, 2])),
        ordered=True,
        recorded=True,
    )
    (line,) = read_appends(bench.layout)
    assert (line.kind, line.run_id, line.time) == ("created", "r", "2026-11-21T01:15:07Z")
    assert (line.channel_id, line.first_id, line.last_id, line.count, line.message_count) == ("111", "1", "2", 2, 2)
    data = channel_bytes([1, 2])
    assert (line.cut_before, line.cut_after) == (data.index(b'"messages": [') + 13, data.rindex(b"\n  ]"))
    assert (line.exporter, line.exporter_version) == ("t", "2.46")
    assert line.exported_at == "2026-01-05T00:00:00+00:00"


@pytest.mark.parametrize(("ids", "first", "last"), [([1, 2], MessageId("1"), MessageId("2")), ([], None, None)])
def test_its_outcome_says_that_every_message_is_new(
    bench: Bench, ids: list[int], first: MessageId | None, last: MessageId | None
) -> None:
    assert bench.publish(channel_bytes(ids)) == AppendOutcome(
        before_count=0,
        after_count=len(ids),
        appended=len(ids),
        edited=0,
        placed=0,
        holes_filled=0,
        behind=0,
        first_id=first,
        last_id=last,
        unchanged=False,
    )
    (line,) = read_appends(bench.layout)
    cursor = read_cursor(bench.archive, layout=bench.layout)
    assert (line.first_id, line.last_id, cursor.last_id) == (first, last, last)


@pytest.mark.contract("D-02", "R-2.07")
def test_it_has_the_mode_that_the_umask_gives(bench: Bench) -> None:
    mask = os.umask(0o027)
    try:
        bench.publish(channel_bytes([1]))
    finally:
        os.umask(mask)

    assert bench.archive.stat().st_mode & 0o777 == 0o640


def test_an_empty_export_becomes_an_archive_that_can_grow(bench: Bench) -> None:
    bench.publish(channel_bytes([]))

    delta = write_channel(bench.export, [1])
    append(bench.archive, [delta], OPTIONS, layout=bench.layout, clock=FakeClock())

    assert ids_in(bench.archive) == [1]


@pytest.mark.contract("R-2.01", "D-01")
def test_a_file_that_is_there_is_never_taken_over(bench: Bench) -> None:
    bench.archive.write_bytes(channel_bytes([1, 2, 3]))

    with pytest.raises(ChannelFileExists) as caught:
        bench.publish(channel_bytes([1]))

    assert (str(caught.value), caught.value.hint) == (f"{bench.archive} is there already", "append to it instead")
    assert caught.value.archive == bench.archive
    assert bench.archive.read_bytes() == channel_bytes([1, 2, 3])
    assert bench.export.exists()


@pytest.mark.contract("R-3.13")
def test_an_export_of_another_channel_is_refused(bench: Bench) -> None:
    with pytest.raises(ForeignChannel) as caught:
        bench.publish(channel_bytes([1], channel_id="999"))

    assert str(caught.value) == f"{bench.export} is of channel 999, not of 111"

    assert not bench.archive.exists()
    assert bench.export.exists()


@pytest.mark.contract("R-16.05")
@pytest.mark.parametrize("data", [channel_bytes([1, 2])[:-30], channel_bytes([2, 1]), channel_bytes([1, 1]), b""])
def test_an_export_that_is_truncated_or_out_of_order_is_refused(bench: Bench, data: bytes) -> None:
    with pytest.raises((DamagedFile, NotCanonical)):
        bench.publish(data)

    assert not bench.archive.exists()
    assert bench.export.exists()


def test_an_export_out_of_order_is_told_where_its_messages_begin(bench: Bench) -> None:
    with pytest.raises(DamagedFile) as caught:
        bench.publish(channel_bytes([2, 1]))

    start = channel_bytes([2, 1]).index(b'"messages": [') + 13
    assert str(caught.value) == (
        f"{bench.export} is damaged at byte {start}: its messages are not in the order of their ids"
    )


class NoLinks(Disk):
    """A file system without hard links."""

    def link(self, _source: Path, _destination: Path) -> None:
        raise PermissionError(1, "Operation not permitted")


def test_without_hard_links_the_export_is_copied(bench: Bench) -> None:
    bench.publish(channel_bytes([1, 2]), NoLinks())

    assert bench.archive.read_bytes() == channel_bytes([1, 2])
    assert not bench.export.exists()


def test_without_hard_links_too_a_file_that_is_there_is_never_taken_over(bench: Bench) -> None:
    bench.archive.write_bytes(channel_bytes([1, 2, 3]))

    with pytest.raises(ChannelFileExists):
        bench.publish(channel_bytes([1]), NoLinks())

    assert ids_in(bench.archive) == [1, 2, 3]


class FullDisk(Disk):
    def sync(self, _descriptor: int) -> None:
        raise OSError(28, "No space left on device")


def test_a_full_disk_leaves_the_export_where_it_is(bench: Bench) -> None:
    with pytest.raises(NotEnoughSpace):
        bench.publish(channel_bytes([1]), FullDisk())

    assert not bench.archive.exists()
    assert bench.export.exists()


def test_a_line_that_cannot_be_written_leaves_both_the_archive_and_the_export(bench: Bench) -> None:
    class Full(Disk):
        def write_at(self, _descriptor: int, _data: bytes, _offset: int) -> None:
            raise OSError(28, "No space left on device")

    with pytest.raises(NotEnoughSpace, match=re.escape(f"no space left in {bench.archive.parent}: ")):
        bench.publish(channel_bytes([1]), Full())

    assert bench.archive.read_bytes() == bench.export.read_bytes() == channel_bytes([1])


@pytest.mark.parametrize("at", range(1, 20))
def test_a_death_at_any_call_leaves_the_messages_whole_somewhere(bench: Bench, at: int) -> None:
    try:
        bench.publish(channel_bytes([1, 2]), DyingDisk(at))
    except Dies:
        left = [path for path in (bench.archive, bench.export) if path.exists()]
        assert left
        assert all(path.read_bytes() == channel_bytes([1, 2]) for path in left)
    else:
        assert bench.archive.read_bytes() == channel_bytes([1, 2])


def test_a_disk_error_is_told_as_one(bench: Bench) -> None:
    class Broken(Disk):
        def sync_folder(self, _folder: Path) -> None:
            raise OSError(5, "Input/output error")

    with pytest.raises(WriteFailed, match=re.escape(f"writing to {bench.archive} failed: ")):
        bench.publish(channel_bytes([1]), Broken())
