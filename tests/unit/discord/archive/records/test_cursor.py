import os
from pathlib import Path

import pytest

from benchmarks.generate import write_export
from dce_play.discord.archive.append.append import AppendOptions, append
from dce_play.discord.archive.records.cursor import read_cursor, remember
from dce_play.discord.archive.scan.damage import DamagedFile
from dce_play.layout import TargetLayout
from dce_play.snowflake import ChannelId
from dce_play.system.durable.disk import Disk
from tests.support.channel_files import channel_bytes, write_channel
from tests.support.fakes import FakeClock


class CountingDisk(Disk):
    """Counts the bytes read."""

    def __init__(self) -> None:
        self.read_bytes = 0

    def read_at(self, descriptor: int, size_bytes: int, offset: int) -> bytes:
        data = super().read_at(descriptor, size_bytes, offset)
        self.read_bytes += len(data)
        return data


@pytest.fixture
def layout(tmp_path: Path) -> TargetLayout:
    return TargetLayout(tmp_path)


@pytest.mark.contract("R-3.04")
@pytest.mark.parametrize(
    ("ids", "last"),
    [([1, 999, 2], "999"), ([999999999999999999, 1000000000000000000], "1000000000000000000"), ([5], "5")],
)
def test_the_cursor_is_the_greatest_id_by_value(layout: TargetLayout, ids: list[int], last: str) -> None:
    archive = write_channel(layout.folder / "room [111].json", ids)

    cursor = read_cursor(archive, layout=layout)

    assert (cursor.last_id, cursor.message_count) == (last, len(ids))
    assert cursor.ordered == (ids == sorted(ids))


@pytest.mark.contract("R-3.05")
def test_a_file_without_messages_has_no_last_id(layout: TargetLayout) -> None:
    cursor = read_cursor(write_channel(layout.folder / "room [111].json", []), layout=layout)

    assert (cursor.last_id, cursor.message_count) == (None, 0)


def test_reading_a_cursor_writes_nothing(layout: TargetLayout) -> None:
    archive = write_channel(layout.folder / "room [111].json", [1])

    assert not read_cursor(archive, layout=layout).recorded
    assert [path.name for path in layout.folder.iterdir()] == [archive.name]


@pytest.mark.contract("D-51")
def test_a_recorded_file_is_not_read_again(layout: TargetLayout) -> None:
    archive = write_export(layout.folder / "big.json", range(2000))
    scanned = read_cursor(archive, layout=layout)
    remember(archive, scanned, layout=layout)
    disk = CountingDisk()

    cursor = read_cursor(archive, layout=layout, disk=disk)

    assert cursor.recorded
    assert (cursor.last_id, cursor.message_count) == (scanned.last_id, scanned.message_count)
    assert disk.read_bytes < 48 << 10 < archive.stat().st_size


def test_an_append_records_what_it_made(layout: TargetLayout) -> None:
    archive = write_channel(layout.folder / "room [111].json", [1])
    delta = write_channel(layout.folder / "delta/export.json", [2])
    append(archive, [delta], AppendOptions(run_id="r"), layout=layout, clock=FakeClock())

    cursor = read_cursor(archive, layout=layout)

    assert (cursor.recorded, cursor.last_id, cursor.message_count) == (True, "2", 2)


@pytest.mark.parametrize("change", ["content", "mtime", "replaced", "record"])
def test_any_change_makes_the_record_void(layout: TargetLayout, change: str) -> None:
    archive = write_channel(layout.folder / "room [111].json", [1, 2])
    remember(archive, read_cursor(archive, layout=layout), layout=layout)
    match change:
        case "content":
            archive.write_bytes(channel_bytes([1, 3]))
        case "mtime":
            os.utime(archive, ns=(1, 1))
        case "replaced":
            write_channel(layout.folder / "other", [1, 2]).replace(archive)
        case _:
            record = layout.record(ChannelId("111"))
            record.write_bytes(record.read_bytes().replace(b'"last_id": "2"', b'"last_id": "9"'))

    cursor = read_cursor(archive, layout=layout)

    assert not cursor.recorded
    assert cursor.last_id == ("3" if change == "content" else "2")


def test_a_file_that_changed_since_it_was_read_is_not_recorded(layout: TargetLayout) -> None:
    archive = write_channel(layout.folder / "room [111].json", [1])
    stale = read_cursor(archive, layout=layout)
    archive.write_bytes(channel_bytes([1, 2]))

    remember(archive, stale, layout=layout)

    assert not read_cursor(archive, layout=layout).recorded


def test_a_record_that_cannot_be_written_is_done_without(layout: TargetLayout) -> None:
    archive = write_channel(layout.folder / "room [111].json", [1])
    cursor = read_cursor(archive, layout=layout)
    layout.meta.mkdir()
    (layout.meta / "records").write_text("not a folder")

    remember(archive, cursor, layout=layout)

    assert (layout.meta / "records").read_text() == "not a folder"


def test_a_stray_list_of_objects_at_the_end_is_not_taken_for_the_messages(layout: TargetLayout) -> None:
    archive = layout.folder / "room [111].json"
    data = channel_bytes([1]).replace(b'"messageCount": 1', b'"extras": [\n    {\n      "id": "9"\n    }\n  ]')
    archive.write_bytes(data)

    with pytest.raises(DamagedFile):
        read_cursor(archive, layout=layout)
