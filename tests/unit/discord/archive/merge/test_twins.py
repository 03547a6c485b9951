"""Several files of one channel made one."""

import json
import re
from pathlib import Path

import pytest

from dce_play.discord.archive.append.append import AppendOptions, ReaderSafe, append
from dce_play.discord.archive.folder.channel_map import ChannelMap, WrongChannel, save_map
from dce_play.discord.archive.merge.merge import Prefer
from dce_play.discord.archive.merge.normalise import confirm
from dce_play.discord.archive.merge.twins import merge_twins
from dce_play.discord.archive.records.journal import pending_journals
from dce_play.discord.archive.records.records import read_appends
from dce_play.discord.archive.records.write_errors import NotEnoughSpace
from dce_play.layout import TargetLayout
from dce_play.snowflake import ChannelId
from dce_play.system.durable.disk import REAL, Disk
from dce_play.system.lock.file_lock import FileBusy, flock_file
from tests.support.channel_files import channel_bytes, ids_in, write_channel
from tests.support.fakes import FakeClock

ROOM = ChannelId("1573508731788951644")


@pytest.fixture
def layout(tmp_path: Path) -> TargetLayout:
    return TargetLayout(tmp_path)


def room(layout: TargetLayout, name: str, ids: list[int]) -> Path:
    return write_channel(layout.folder / f"{name} [{ROOM}].json", ids, channel_id=ROOM)


@pytest.mark.contract("R-19.05", "R-2.01", "R-2.02")
def test_overlapping_and_disjoint_twins_become_one_without_loss(layout: TargetLayout) -> None:
    one = room(layout, "a", [1, 2, 3, 7])
    two = room(layout, "deep/b", [2, 3, 4])
    three = write_channel(layout.folder / f"c [{ROOM}] (after 2024-01-01).json", [9], channel_id=ROOM)
    kept = {path.read_bytes() for path in (one, two, three)}
    done = merge_twins(layout, ROOM, run_id="r1", clock=FakeClock())
    assert done is not None
    assert ids_in(done.into) == [1, 2, 3, 4, 7, 9]
    assert [path for path in (one, two, three) if path.exists()] == [done.into]
    assert {path.read_bytes() for path in done.originals} == kept
    assert ChannelMap(layout).destination(ROOM) == done.into


def test_twins_can_be_merged_twice_in_one_second(layout: TargetLayout) -> None:
    room(layout, "a", [1])
    for name, identifier in (("b", 2), ("c", 3)):
        room(layout, name, [identifier])
        assert merge_twins(layout, ROOM, run_id="r1", clock=FakeClock()) is not None
    assert len(confirm(layout, ROOM)) == 4


@pytest.mark.contract("R-19.05")
def test_the_originals_stay_until_somebody_confirms(layout: TargetLayout) -> None:
    room(layout, "a", [1])
    room(layout, "b", [2])
    done = merge_twins(layout, ROOM, run_id="r1", clock=FakeClock())
    assert done is not None
    assert sorted(confirm(layout, ROOM)) == sorted(done.originals)
    assert not any(path.exists() for path in done.originals)


def test_the_mapped_file_keeps_its_place(layout: TargetLayout) -> None:
    room(layout, "large", list(range(1, 50)))
    small = room(layout, "small", [60])
    save_map(layout, {ROOM: small})
    done = merge_twins(layout, ROOM, run_id="r1", clock=FakeClock())
    assert done is not None
    assert done.into == small


def test_the_copy_that_is_dropped_goes_into_the_edits(layout: TargetLayout) -> None:
    one, two = layout.folder / f"a [{ROOM}].json", layout.folder / f"b [{ROOM}].json"
    one.write_bytes(channel_bytes([1, 2], contents={2: "old"}, channel_id=ROOM))
    two.write_bytes(channel_bytes([2], contents={2: "new"}, channel_id=ROOM))
    done = merge_twins(layout, ROOM, run_id="r1", clock=FakeClock())
    assert done is not None
    [line] = [json.loads(line) for line in layout.edits(ROOM).read_bytes().splitlines()]
    contents = {message["id"]: message["content"] for message in json.loads(done.into.read_bytes())["messages"]}
    assert (contents["2"], line["message"]["content"]) == ("new", "old")  # neither was edited: the later file's stays
    assert (line["id"], line["run_id"], line["exported_at"]) == ("2", "r1", None)
    assert line["time"] == "2026-11-21T01:15:07Z"
    assert (done.outcome.message_count, done.outcome.duplicates, done.outcome.conflicts) == (2, 1, 1)


def test_the_first_files_copy_stays_where_that_is_preferred(layout: TargetLayout) -> None:
    for name, ids, text in (("a", [1, 2], "old"), ("b", [2], "new")):
        data = channel_bytes(ids, contents={2: text}, channel_id=ROOM)
        (layout.folder / f"{name} [{ROOM}].json").write_bytes(data)
    done = merge_twins(layout, ROOM, run_id="r1", clock=FakeClock(), prefer=Prefer.KEEP_FIRST)
    assert done is not None
    assert done.into.read_bytes() == channel_bytes([1, 2], contents={2: "old"}, channel_id=ROOM)


def test_the_originals_are_named_after_the_channel_and_the_moment(layout: TargetLayout) -> None:
    room(layout, "a", [1])
    room(layout, "b", [2])
    done = merge_twins(layout, ROOM, run_id="r1", clock=FakeClock())
    assert done is not None
    names = [path.relative_to(layout.meta).as_posix() for path in done.originals]
    form = rf"originals/{ROOM}\.20261121T011507Z\.([0-9a-f]{{6}})\.%d\.original"
    found = [re.fullmatch(form % number, name) for number, name in enumerate(names, start=1)]
    assert len(names) == 2
    assert len({each[1] for each in found if each is not None}) == 1
    assert None not in found


def test_a_channel_whose_id_is_short_has_twins_too(layout: TargetLayout) -> None:
    for name, identifier in (("a", 1), ("b", 2)):
        write_channel(layout.folder / f"{name} [111].json", [identifier])
    done = merge_twins(layout, ChannelId("111"), run_id="r1", clock=FakeClock())
    assert done is not None
    assert ids_in(done.into) == [1, 2]


@pytest.mark.contract("R-3.13")
def test_a_twin_of_another_channel_stops_all(layout: TargetLayout) -> None:
    paths = [room(layout, "a", [1]), room(layout, "b", [2])]
    write_channel(paths[1], [2], channel_id="999")
    before = [path.read_bytes() for path in paths]
    with pytest.raises(WrongChannel, match=re.escape(str(paths[1]))):
        merge_twins(layout, ROOM, run_id="r1", clock=FakeClock())
    assert [path.read_bytes() for path in paths] == before
    assert not (layout.meta / "originals").exists()


@pytest.mark.contract("R-19.05")
def test_an_append_that_has_not_finished_is_settled_before_its_file_is_merged(layout: TargetLayout) -> None:
    class NoLine(Disk):
        def write_at(self, descriptor: int, data: bytes, offset: int) -> None:
            if b'"append_id"' in data and b'"kind"' in data:
                raise OSError(28, "No space left on device")
            super().write_at(descriptor, data, offset)

    one = room(layout, "a", [1, 2])
    room(layout, "b", [9])
    delta = write_channel(layout.folder / "delta/export.json", [3], channel_id=ROOM)
    options = AppendOptions(run_id="r", reader_safe=ReaderSafe.OFF)
    with pytest.raises(NotEnoughSpace):
        append(one, [delta], options, layout=layout, clock=FakeClock(), disk=NoLine())
    assert len(pending_journals(layout, disk=REAL)) == 1

    done = merge_twins(layout, ROOM, run_id="r1", clock=FakeClock())

    assert done is not None
    assert ids_in(done.into) == [1, 2, 3, 9]
    assert pending_journals(layout, disk=REAL) == []
    assert [line.last_id for line in read_appends(layout, ROOM)] == ["3"]


def test_who_holds_the_file_is_waited_for(layout: TargetLayout) -> None:
    one = room(layout, "a", [1, 2])
    room(layout, "b", [9])
    clock = FakeClock()
    with flock_file(one), pytest.raises(FileBusy):
        merge_twins(layout, ROOM, run_id="r1", clock=clock)
    assert sum(clock.sleeps) >= 29
    assert ids_in(one) == [1, 2]


def test_a_channel_with_one_file_is_left_alone(layout: TargetLayout) -> None:
    path = room(layout, "a", [1])
    before = path.read_bytes()
    assert merge_twins(layout, ROOM, run_id="r1", clock=FakeClock()) is None
    assert path.read_bytes() == before
    assert not layout.meta.exists()


def test_a_second_merge_after_a_crash_comes_to_the_same_file(layout: TargetLayout) -> None:
    room(layout, "a", [1, 3])
    two = room(layout, "b", [2])
    done = merge_twins(layout, ROOM, run_id="r1", clock=FakeClock())
    assert done is not None
    once = done.into.read_bytes()
    write_channel(two, [2], channel_id=ROOM)  # as if the crash had come before the twin was removed
    clock = FakeClock()
    clock.advance(1)
    again = merge_twins(layout, ROOM, run_id="r1", clock=clock)
    assert again is not None
    assert again.into.read_bytes() == once
