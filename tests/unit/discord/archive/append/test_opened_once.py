"""A channel file is opened once an append, and its header read once: counted at the seam to the disk."""

import os
from collections import Counter
from pathlib import Path

import pytest

from dce_play.discord.archive.append.append import AppendOptions, GapPolicy, ReaderSafe, append, plan_append
from dce_play.discord.archive.records.write_errors import WriteFailed
from dce_play.layout import TargetLayout
from dce_play.system.durable.disk import Disk
from tests.support.channel_files import ids_in, write_channel, write_large_channel
from tests.support.fakes import FakeClock


class CountingDisk(Disk):
    """Counts which files are opened, and how often their first bytes are read."""

    def __init__(self) -> None:
        self.opened: Counter[str] = Counter()
        self.headers_read: Counter[str] = Counter()
        self.bytes_read: Counter[str] = Counter()
        self._names: dict[int, str] = {}

    def open(self, path: Path, flags: int, mode: int = 0o666) -> int:
        descriptor = super().open(path, flags, mode)
        self.opened[path.name] += 1
        self._names[descriptor] = path.name
        return descriptor

    def read_at(self, descriptor: int, size_bytes: int, offset: int) -> bytes:
        if offset == 0:
            self.headers_read[self._names[descriptor]] += 1
        data = super().read_at(descriptor, size_bytes, offset)
        self.bytes_read[self._names[descriptor]] += len(data)
        return data

    def read_into(self, descriptor: int, view: memoryview, offset: int) -> int:
        if offset == 0:
            self.headers_read[self._names[descriptor]] += 1
        count = super().read_into(descriptor, view, offset)
        self.bytes_read[self._names[descriptor]] += count
        return count


@pytest.fixture
def room(tmp_path: Path) -> Path:
    # Long enough that the end, where an append looks besides, is not the beginning.
    room = write_channel(tmp_path / "room [111].json", range(1, 599))
    put(room, write_channel(tmp_path / "first.json", [599]), Disk())
    return room


def put(room: Path, delta: Path, disk: Disk, **options: object) -> None:
    chosen = AppendOptions(run_id="r", **options)  # type: ignore[arg-type]  # a test's own
    append(room, [delta], chosen, layout=TargetLayout(room.parent), clock=FakeClock(), disk=disk)


@pytest.mark.parametrize("way", [ReaderSafe.OFF, ReaderSafe.AUTO, ReaderSafe.REWRITE])
def test_an_append_opens_the_channel_file_and_the_delta_once(room: Path, way: ReaderSafe) -> None:
    disk = CountingDisk()
    delta = write_channel(room.with_name("delta.json"), [600, 601])
    put(room, delta, disk, reader_safe=way)

    assert ids_in(room) == list(range(1, 602))
    assert {name: disk.opened[name] for name in (room.name, delta.name)} == {room.name: 1, delta.name: 1}
    assert {name: disk.headers_read[name] for name in (room.name, delta.name)} == {
        room.name: 1
        + (
            way is ReaderSafe.REWRITE  # the copy begins with the header, too
        ),
        delta.name: 1,
    }


def test_a_plan_opens_them_once(room: Path) -> None:
    disk = CountingDisk()
    delta = write_channel(room.with_name("delta.json"), [600, 601])

    plan_append(room, [delta], AppendOptions(run_id="r"), layout=TargetLayout(room.parent), disk=disk)

    assert disk.opened[room.name] == disk.opened[delta.name] == 1


def test_an_append_that_writes_the_file_anew_opens_the_old_one_and_the_new_one(room: Path) -> None:
    disk = CountingDisk()
    delta = write_channel(room.with_name("delta.json"), [5])
    write_channel(room, [1, 599])

    put(room, delta, disk)

    assert ids_in(room) == [1, 5, 599]
    assert (disk.opened[room.name], disk.opened[delta.name]) == (2, 1)
    written = [name for name in disk.opened if name.startswith(f".{room.name}.dce-replace.")]
    assert [disk.opened[name] for name in written] == [2]


def test_an_append_of_what_is_there_already_opens_it_once_and_writes_no_record(room: Path) -> None:
    disk = CountingDisk()
    delta = write_channel(room.with_name("delta.json"), [5])
    put(room, delta, disk, holes=GapPolicy.REPORT)

    assert disk.opened[room.name] == disk.opened[delta.name] == 1
    assert "appends.jsonl" not in disk.opened


def test_a_known_message_is_found_without_reading_the_file_through(room: Path) -> None:
    write_large_channel(room, 1000, 4000, channel_id="111")
    put(room, write_channel(room.with_name("new.json"), [9000]), Disk())
    disk = CountingDisk()
    put(room, write_channel(room.with_name("delta.json"), [3000]), disk)

    assert max(ids_in(room)) == 9000
    assert disk.bytes_read[room.name] < room.stat().st_size / 4


def test_a_file_that_may_not_be_written_is_still_read(room: Path) -> None:
    class ReadOnly(Disk):
        def open(self, path: Path, flags: int, mode: int = 0o666) -> int:
            if path == room and flags & os.O_RDWR:
                raise PermissionError(13, "permission denied", path)
            return super().open(path, flags, mode)

    put(room, write_channel(room.with_name("old.json"), [599]), ReadOnly())
    with pytest.raises(WriteFailed, match="permission denied"):
        put(room, write_channel(room.with_name("new.json"), [900]), ReadOnly(), reader_safe=ReaderSafe.OFF)
    assert max(ids_in(room)) == 599
