"""Several files of one channel made one."""

import json
from pathlib import Path

import pytest

from dce_play.discord.archive.folder.channel_map import ChannelMap, save_map
from dce_play.discord.archive.merge.normalise import confirm
from dce_play.discord.archive.merge.twins import merge_twins
from dce_play.layout import TargetLayout
from dce_play.snowflake import ChannelId
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
    assert {contents["2"], line["message"]["content"]} == {"old", "new"}


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
