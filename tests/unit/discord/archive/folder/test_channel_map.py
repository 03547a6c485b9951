"""Which file holds which channel."""

import json
import os
from pathlib import Path

import pytest

from dce_play.discord.archive.folder.channel_map import (
    ArchiveDisappeared,
    ChannelMap,
    DamagedChannelMap,
    OutsideTarget,
    TwinFiles,
    WrongChannel,
    load_map,
    save_map,
)
from dce_play.discord.archive.scan.head import read_head
from dce_play.layout import TargetLayout
from dce_play.snowflake import ChannelId
from tests.support.channel_files import write_channel

ROOM = ChannelId("1573508731788951644")
OTHER = ChannelId("1573508731788951645")


@pytest.fixture
def layout(tmp_path: Path) -> TargetLayout:
    folder = tmp_path / "target"
    folder.mkdir()
    return TargetLayout(folder)


def room_file(layout: TargetLayout, name: str = "room", *, channel_id: str = ROOM) -> Path:
    return write_channel(layout.folder / f"{name} [{ROOM}].json", [1, 2], channel_id=channel_id)


def write_map(layout: TargetLayout, text: str) -> None:
    layout.meta.mkdir(exist_ok=True)
    layout.channel_map.write_text(text, encoding="utf-8")


def test_a_channel_without_file_or_entry_has_no_destination(layout: TargetLayout) -> None:
    assert ChannelMap(layout).destination(ROOM) is None


def test_a_file_is_found_by_its_name(layout: TargetLayout) -> None:
    path = room_file(layout, "deep/er/anything")
    assert ChannelMap(layout).destination(ROOM) == path


@pytest.mark.contract("S-01", "R-2.03")
def test_a_short_id_is_found_when_it_is_asked_for(layout: TargetLayout) -> None:
    path = write_channel(layout.folder / "Fixture [111].json", [1])
    assert ChannelMap(layout, known=[ChannelId("111")]).destination(ChannelId("111")) == path


@pytest.mark.contract("R-2.01", "D-33")
@pytest.mark.parametrize("name", [f"room [{ROOM}] (after 2024-01-01).json", f"room [{ROOM}] [part 1].json"])
def test_a_file_under_the_exporter_s_own_name_is_the_channel_s(layout: TargetLayout, name: str) -> None:
    path = write_channel(layout.folder / name, [1], channel_id=ROOM)
    assert ChannelMap(layout).destination(ROOM) == path


@pytest.mark.contract("R-2.02", "D-01", "S-05")
def test_two_files_of_one_channel_are_an_error_that_names_both(layout: TargetLayout) -> None:
    one, two = room_file(layout, "a"), room_file(layout, "b")
    with pytest.raises(TwinFiles) as caught:
        ChannelMap(layout).destination(ROOM)
    assert caught.value.paths == (one, two)
    assert str(one) in str(caught.value)
    assert str(two) in str(caught.value)
    assert "2 messages" in str(caught.value)
    assert "archive merge" in caught.value.hint


@pytest.mark.contract("R-2.02", "D-01")
def test_an_entry_in_the_map_does_not_silence_twins(layout: TargetLayout) -> None:
    one, _ = room_file(layout, "a"), room_file(layout, "b")
    save_map(layout, {ROOM: one})
    with pytest.raises(TwinFiles):
        ChannelMap(layout).destination(ROOM)


@pytest.mark.contract("R-2.02")
def test_twins_of_one_channel_leave_the_others_alone(layout: TargetLayout) -> None:
    room_file(layout, "a")
    room_file(layout, "b")
    other = write_channel(layout.folder / f"c [{OTHER}].json", [1], channel_id=OTHER)
    assert ChannelMap(layout).destination(OTHER) == other


def test_two_names_of_one_file_are_no_twins(layout: TargetLayout) -> None:
    path = room_file(layout)
    (layout.folder / f"alias [{ROOM}].json").symlink_to(path)
    assert ChannelMap(layout).destination(ROOM) is not None


@pytest.mark.contract("R-2.04", "S-07")
def test_an_entry_outside_the_target_is_refused(layout: TargetLayout) -> None:
    outside = layout.folder / ".." / "outside.json"
    save_map(layout, {ROOM: outside})
    with pytest.raises(OutsideTarget, match="is outside target root"):
        ChannelMap(layout).destination(ROOM)
    assert not outside.exists()


@pytest.mark.contract("R-2.04", "D-26")
def test_a_link_that_leads_out_of_the_target_is_refused(layout: TargetLayout, tmp_path: Path) -> None:
    outside = write_channel(tmp_path / "elsewhere" / "x.json", [1], channel_id=ROOM)
    (layout.folder / f"room [{ROOM}].json").symlink_to(outside)
    with pytest.raises(OutsideTarget):
        ChannelMap(layout).destination(ROOM)


@pytest.mark.contract("R-2.04", "D-26")
def test_an_entry_below_a_linked_folder_is_refused(layout: TargetLayout, tmp_path: Path) -> None:
    (tmp_path / "elsewhere").mkdir()
    (layout.folder / "link").symlink_to(tmp_path / "elsewhere")
    save_map(layout, {ROOM: layout.folder / "link" / "new.json"})
    export = write_channel(tmp_path / "export.json", [1], channel_id=ROOM)
    with pytest.raises(OutsideTarget):
        ChannelMap(layout).new_destination(ROOM, read_head(export))


@pytest.mark.contract("R-2.12", "D-32")
def test_a_file_that_disappeared_is_told_and_not_made_anew(layout: TargetLayout) -> None:
    save_map(layout, {ROOM: layout.folder / "gone.json"})
    with pytest.raises(ArchiveDisappeared, match="archive disappeared"):
        ChannelMap(layout).destination(ROOM)


@pytest.mark.contract("R-2.12")
def test_a_file_that_moved_is_told_with_its_new_place(layout: TargetLayout) -> None:
    path = room_file(layout, "new/place")
    save_map(layout, {ROOM: layout.folder / "gone.json"})
    with pytest.raises(ArchiveDisappeared) as caught:
        ChannelMap(layout).destination(ROOM)
    assert caught.value.elsewhere == path
    assert str(path) in caught.value.hint


@pytest.mark.contract("S-08")
def test_a_file_that_holds_another_channel_is_refused(layout: TargetLayout) -> None:
    room_file(layout, channel_id="999")
    with pytest.raises(WrongChannel, match="holds 999"):
        ChannelMap(layout).destination(ROOM)


@pytest.mark.contract("S-01")
def test_a_new_file_is_named_after_the_export(layout: TargetLayout, tmp_path: Path) -> None:
    export = write_channel(tmp_path / "export.json", [1])
    path = ChannelMap(layout).new_destination(ChannelId("111"), read_head(export))
    assert path == layout.folder / "Fixture Guild - Testing Grounds - fixture-room [111].json"


@pytest.mark.contract("R-2.05", "D-29")
def test_the_map_takes_no_file_that_is_not_there(layout: TargetLayout) -> None:
    with pytest.raises(ArchiveDisappeared):
        ChannelMap(layout).remember(ROOM, layout.folder / "none.json")
    assert not layout.channel_map.exists()


@pytest.mark.contract("S-02", "S-15", "R-2.03")
def test_the_map_is_what_the_old_scripts_write(layout: TargetLayout) -> None:
    path = room_file(layout)
    ChannelMap(layout).remember(ROOM, path)
    assert json.loads(layout.channel_map.read_bytes()) == {ROOM: str(path)}
    assert layout.channel_map.stat().st_mode & 0o777 == 0o644
    assert load_map(layout) == {ROOM: path}


def test_remembering_what_is_known_writes_nothing(layout: TargetLayout) -> None:
    path = room_file(layout)
    ChannelMap(layout).remember(ROOM, path)
    before = layout.channel_map.stat()
    ChannelMap(layout).remember(ROOM, path)
    assert layout.channel_map.stat().st_ino == before.st_ino


@pytest.mark.contract("R-9.06")
@pytest.mark.parametrize("text", ["", "{", "[]", '{"x": "/a"}', f'{{"{ROOM}": 5}}', f'{{"{ROOM}": ""}}'])
def test_a_damaged_map_is_told_by_name(layout: TargetLayout, text: str) -> None:
    write_map(layout, text)
    with pytest.raises(DamagedChannelMap, match=r"channel-map\.json"):
        ChannelMap(layout)


@pytest.mark.contract("S-04", "S-15")
def test_bootstrap_enters_every_file_that_the_map_lacks(layout: TargetLayout) -> None:
    path = room_file(layout)
    outcome = ChannelMap(layout).bootstrap()
    assert [seed.path for seed in outcome.added] == [path]
    assert outcome.lines(layout.folder) == [
        f"Bootstrapped 1 channel map entries from existing archives under {layout.folder}."
    ]
    assert load_map(layout) == {ROOM: path}


@pytest.mark.contract("D-01", "R-2.02")
def test_bootstrap_chooses_no_twin(layout: TargetLayout) -> None:
    room_file(layout, "a")
    room_file(layout, "b")
    outcome = ChannelMap(layout).bootstrap()
    assert outcome.added == ()
    assert [type(error) for error in outcome.refused] == [TwinFiles]
    assert not layout.channel_map.exists()


def test_bootstrap_passes_over_files_of_other_channels(layout: TargetLayout) -> None:
    room_file(layout, channel_id="999")
    outcome = ChannelMap(layout).bootstrap()
    assert [type(error) for error in outcome.refused] == [WrongChannel]
    assert outcome.lines(layout.folder)[0].startswith("Skipping bootstrap for '")


def test_planning_a_bootstrap_writes_nothing(layout: TargetLayout) -> None:
    room_file(layout)
    assert len(ChannelMap(layout).plan_bootstrap().added) == 1
    assert not layout.meta.exists()


@pytest.mark.contract("R-2.03")
def test_a_moved_archive_root_is_repaired_by_one_bootstrap(layout: TargetLayout) -> None:
    path = room_file(layout)
    save_map(layout, {ROOM: Path("/old/root/target") / path.name})
    with pytest.raises(OutsideTarget):
        ChannelMap(layout).destination(ROOM)
    outcome = ChannelMap(layout).bootstrap(repair=True)
    assert [seed.path for seed in outcome.repaired] == [path]
    assert ChannelMap(layout).destination(ROOM) == path


def test_without_repair_an_entry_that_leads_nowhere_stays(layout: TargetLayout) -> None:
    room_file(layout)
    save_map(layout, {ROOM: layout.folder / "gone.json"})
    ChannelMap(layout).bootstrap()
    assert load_map(layout) == {ROOM: layout.folder / "gone.json"}


@pytest.mark.contract("R-2.11")
def test_names_that_are_not_utf8_go_through_the_map(layout: TargetLayout) -> None:
    path = write_channel(layout.folder / os.fsdecode(b"caf\xe9 [1573508731788951644].json"), [1], channel_id=ROOM)
    ChannelMap(layout).bootstrap()
    assert ChannelMap(layout).destination(ROOM) == path
