"""What can be done with files that others made."""

from pathlib import Path

import pytest

from dce_play.discord.archive.folder.channel_map import load_map
from dce_play.discord.archive.merge.adopt import AdoptedFile, Adoption, Fitness, adopt_target
from dce_play.layout import TargetLayout
from tests.support.channel_files import channel_bytes, write_channel

ROOM = "1573508731788951644"
OTHER = "1573508731788951645"


@pytest.fixture
def layout(tmp_path: Path) -> TargetLayout:
    return TargetLayout(tmp_path)


def only(adoption: Adoption) -> AdoptedFile:
    [file] = adoption.files
    return file


def test_a_file_of_the_exporter_is_fine_as_it_is(layout: TargetLayout) -> None:
    path = write_channel(layout.folder / f"room [{ROOM}].json", [1], channel_id=ROOM)
    adoption = adopt_target(layout)
    assert only(adoption).fitness is Fitness.AS_IS
    assert adoption.ok
    assert load_map(layout) == {ROOM: path}


@pytest.mark.contract("R-17.08")
def test_what_a_limited_export_covers_is_told(layout: TargetLayout) -> None:
    data = channel_bytes([1], channel_id=ROOM, after="2024-01-01T00:00:00+00:00")
    (layout.folder / f"Guild - room [{ROOM}] (after 2024-01-01).json").write_bytes(data)
    file = only(adopt_target(layout))
    assert file.fitness is Fitness.AS_IS
    assert file.detail == "only messages after 2024-01-01T00:00:00+00:00 were exported"


def test_a_minified_file_needs_normalising(layout: TargetLayout) -> None:
    lines = channel_bytes([1], channel_id=ROOM).splitlines()
    (layout.folder / f"room [{ROOM}].json").write_bytes(b"".join(line.strip() for line in lines))
    assert only(adopt_target(layout)).fitness is Fitness.NORMALISE


@pytest.mark.parametrize("data", [b"", b"not-json", channel_bytes([1], channel_id=ROOM)[:-20]])
def test_a_damaged_file_is_told(layout: TargetLayout, data: bytes) -> None:
    (layout.folder / f"room [{ROOM}].json").write_bytes(data)
    adoption = adopt_target(layout)
    assert only(adoption).fitness is Fitness.DAMAGED
    assert not adoption.ok


def test_a_file_of_another_channel_is_told(layout: TargetLayout) -> None:
    write_channel(layout.folder / f"room [{ROOM}].json", [1], channel_id=OTHER)
    assert only(adopt_target(layout)).fitness is Fitness.OTHER_CHANNEL


def test_twins_are_told(layout: TargetLayout) -> None:
    for name in "ab":
        write_channel(layout.folder / f"{name} [{ROOM}].json", [1], channel_id=ROOM)
    assert [file.fitness for file in adopt_target(layout).files] == [Fitness.TWIN, Fitness.TWIN]


def test_a_file_without_an_id_in_its_name_is_left_alone(layout: TargetLayout) -> None:
    (layout.folder / "notes.json").write_bytes(b"{}")
    adoption = adopt_target(layout)
    assert only(adoption).fitness is Fitness.UNNAMED
    assert adoption.ok


def test_a_dry_run_writes_nothing(layout: TargetLayout) -> None:
    write_channel(layout.folder / f"room [{ROOM}].json", [1], channel_id=ROOM)
    assert len(adopt_target(layout, dry_run=True).bootstrap.added) == 1
    assert not layout.meta.exists()
