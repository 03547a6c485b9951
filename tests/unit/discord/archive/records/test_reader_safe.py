import json
import os
import threading
from pathlib import Path

import pytest

from dce_play.discord.archive.append.append import AppendOptions, ReaderSafe, append
from dce_play.discord.archive.records.reader_safe import ReaderStarved, open_consistent
from dce_play.discord.archive.records.recover import recover
from dce_play.layout import TargetLayout
from dce_play.system.durable.disk import Disk, FileFacts
from tests.support.bounds import at_most
from tests.support.channel_files import channel_bytes, ids_in, write_channel
from tests.support.fakes import FakeClock

IN_PLACE = AppendOptions(run_id="r", reader_safe=ReaderSafe.OFF)


def whole(archive: Path, layout: TargetLayout) -> bytes:
    with open_consistent(archive, layout=layout) as channel:
        return channel.read_at(channel.size_bytes, 0)


class Watcher(Disk):
    """Reads the channel file as another process would, around every write to it."""

    def __init__(self, archive: Path, layout: TargetLayout) -> None:
        self.archive = archive
        self.layout = layout
        self.seen: set[bytes] = set()

    def write_at(self, descriptor: int, data: bytes, offset: int) -> None:
        middle = len(data) // 2
        for part, at in ((data[:middle], offset), (data[middle:], offset + middle)):
            self.seen.add(whole(self.archive, self.layout))
            super().write_at(descriptor, part, at)
            self.seen.add(whole(self.archive, self.layout))

    def truncate(self, descriptor: int, size_bytes: int) -> None:
        super().truncate(descriptor, size_bytes)
        self.seen.add(whole(self.archive, self.layout))


@pytest.fixture
def layout(tmp_path: Path) -> TargetLayout:
    return TargetLayout(tmp_path)


def test_a_reader_sees_old_or_new_at_every_moment_of_an_append(layout: TargetLayout) -> None:
    archive = write_channel(layout.folder / "room [111].json", [1])
    delta = write_channel(layout.folder / "delta/export.json", [2, 3])
    disk = Watcher(archive, layout)

    append(archive, [delta], IN_PLACE, layout=layout, clock=FakeClock(), disk=disk)

    assert disk.seen <= {channel_bytes([1]), channel_bytes([1, 2, 3])}
    assert len(disk.seen) == 2


def test_what_was_opened_before_an_append_stays_as_it_was(layout: TargetLayout) -> None:
    archive = write_channel(layout.folder / "room [111].json", [1])
    delta = write_channel(layout.folder / "delta/export.json", [2, 3])

    with open_consistent(archive, layout=layout) as channel:
        append(archive, [delta], IN_PLACE, layout=layout, clock=FakeClock())
        data = b"".join(channel.blocks(0, channel.size_bytes))

    assert data == channel_bytes([1])


def test_a_file_with_a_pending_journal_is_read_as_before_the_append(layout: TargetLayout) -> None:
    archive = write_channel(layout.folder / "room [111].json", [1])
    delta = write_channel(layout.folder / "delta/export.json", [2, 3])

    class Dies(BaseException):
        pass

    class Dying(Disk):
        def write_at(self, descriptor: int, data: bytes, offset: int) -> None:
            super().write_at(descriptor, data[: len(data) // (1 if offset == 0 else 2)], offset)
            if offset > 0:
                raise Dies

    with pytest.raises(Dies):
        append(archive, [delta], IN_PLACE, layout=layout, clock=FakeClock(), disk=Dying())

    assert archive.read_bytes() != channel_bytes([1])
    assert whole(archive, layout) == channel_bytes([1])
    recover(layout)
    assert archive.read_bytes() == channel_bytes([1])


def test_a_file_that_nobody_appends_to_is_read_as_it_is(layout: TargetLayout) -> None:
    archive = layout.folder / "room [111].json"
    archive.write_text(json.dumps(json.loads(channel_bytes([1, 2]))))

    assert whole(archive, layout) == archive.read_bytes()


def test_readers_beside_a_busy_writer_never_see_a_torn_end(layout: TargetLayout) -> None:
    archive = write_channel(layout.folder / "room [111].json", [1])
    done = threading.Event()
    problems: list[str] = []

    def read() -> None:
        while not done.is_set():
            ids = [int(entry["id"]) for entry in json.loads(whole(archive, layout))["messages"]]
            if ids != list(range(1, len(ids) + 1)):
                problems.append(str(ids))

    reader = threading.Thread(target=read)
    reader.start()
    try:
        for last in range(2, 40):
            delta = write_channel(layout.folder / "delta/export.json", [last])
            append(archive, [delta], IN_PLACE, layout=layout, clock=FakeClock())
    finally:
        done.set()
        reader.join()

    assert problems == []
    assert ids_in(archive) == list(range(1, 40))


class Restless(Disk):
    """Its file changes so many times while somebody looks at it."""

    def __init__(self, changes: int) -> None:
        self.opened = 0
        self._left = changes
        self._looked = False

    def open(self, path: Path, flags: int, mode: int = 0o666) -> int:
        if path.name.startswith("room"):
            self.opened += 1
            self._looked = False
        return super().open(path, flags, mode)

    def facts(self, descriptor: int) -> FileFacts:
        if self._looked and self._left > 0:
            self._left -= 1
            os.utime(descriptor, ns=(0, self._left))
        self._looked = True
        return super().facts(descriptor)


@pytest.mark.parametrize("beyond", [0, 1])
def test_a_file_that_changes_all_the_time_is_looked_at_so_often(layout: TargetLayout, beyond: int) -> None:
    archive = write_channel(layout.folder / "room [111].json", [1])
    tries = at_most("discord.archive.records.reader_safe:_MAX_TRIES")
    disk = Restless(tries - 1 + beyond)
    if not beyond:
        with open_consistent(archive, layout=layout, disk=disk) as channel:
            assert channel.read_at(channel.size_bytes, 0) == channel_bytes([1])
    else:
        starved = pytest.raises(ReaderStarved, match="changes faster than it can be opened")
        with starved as told, open_consistent(archive, layout=layout, disk=disk):
            pass
        assert told.value.hint == "try again when the run has finished"
    assert disk.opened == tries
