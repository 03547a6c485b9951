"""What can be done with files that others made."""

from pathlib import Path

import pytest

from dce_play.discord.archive.folder.channel_map import load_map, save_map
from dce_play.discord.archive.merge.adopt import (
    AdoptedFile,
    Adoption,
    Fitness,
    adopt_target,
    look_at,
    needs_normalising,
)
from dce_play.discord.archive.salvage.repair import NothingToRecover
from dce_play.discord.archive.scan.damage import DamagedFile
from dce_play.layout import TargetLayout
from dce_play.snowflake import ChannelId
from tests.support.channel_files import channel_bytes, write_channel

ROOM = ChannelId("1573508731788951644")
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


WHOLE = channel_bytes([1, 2], channel_id=ROOM)
MINIFIED = b"".join(line.strip() for line in WHOLE.splitlines())
LIMITED = WHOLE.replace(b'"after": null', b'"after": "2024-01-01T00:00:00+00:00"')


@pytest.mark.parametrize(
    ("name", "data", "fitness", "detail"),
    [
        (f"room [{ROOM}].json", WHOLE, Fitness.AS_IS, ""),
        (
            f"room [{ROOM}].json",
            LIMITED.replace(b'"before": null', b'"before": "2025-01-01T00:00:00+00:00"'),
            Fitness.AS_IS,
            "only messages after 2024-01-01T00:00:00+00:00 and before 2025-01-01T00:00:00+00:00 were exported",
        ),
        (
            f"room [{ROOM}].json",
            MINIFIED,
            Fitness.NORMALISE,
            "its layout is not the exporter's",
        ),
        (
            f"room [{ROOM}].json",
            WHOLE[:-2] + b',\n  "note": 1\n}',
            Fitness.NORMALISE,
            "it does not end with the trailer of a message array",
        ),
        (
            f"room [{ROOM}].json",
            WHOLE[:-20],
            Fitness.DAMAGED,
            "it does not end with the trailer of a message array",
        ),
        (
            f"room [{ROOM}].json",
            b"not-json",
            Fitness.DAMAGED,
            "PATH is damaged at byte 0: not a JSON object",
        ),
        (f"room [{OTHER}].json", WHOLE, Fitness.OTHER_CHANNEL, f"it holds channel {ROOM}"),
        ("room.json", WHOLE, Fitness.UNNAMED, "no [channel id] at the end of its name"),
        ("room [12].json", WHOLE, Fitness.UNNAMED, "12 is too short for an id"),
    ],
)
def test_each_file_is_told_with_its_place_and_why(
    layout: TargetLayout, name: str, data: bytes, fitness: Fitness, detail: str
) -> None:
    path = layout.folder / name
    path.write_bytes(data)
    adoption = adopt_target(layout)
    assert adoption.folder == layout.folder
    assert only(adoption) == AdoptedFile(path=path, fitness=fitness, detail=detail.replace("PATH", str(path)))
    assert adoption.undecided == (() if fitness in {Fitness.AS_IS, Fitness.UNNAMED} else adoption.files)


def test_each_twin_is_told_that_it_has_one(layout: TargetLayout) -> None:
    paths = [write_channel(layout.folder / f"{name} [{ROOM}].json", [1], channel_id=ROOM) for name in "ab"]
    assert adopt_target(layout).files == tuple(
        AdoptedFile(path=path, fitness=Fitness.TWIN, detail=f"channel {ROOM} has another file") for path in paths
    )
    assert look_at(paths[0], ROOM).fitness is Fitness.AS_IS


@pytest.mark.parametrize("dry_run", [True, False])
def test_an_entry_that_leads_nowhere_is_corrected(layout: TargetLayout, dry_run: bool) -> None:
    path = write_channel(layout.folder / f"room [{ROOM}].json", [1], channel_id=ROOM)
    gone = layout.folder / "gone.json"
    save_map(layout, {ROOM: gone})
    assert [seed.path for seed in adopt_target(layout, dry_run=dry_run).bootstrap.repaired] == [path]
    assert load_map(layout) == {ROOM: gone if dry_run else path}


@pytest.mark.parametrize(
    ("data", "needs"),
    [
        (WHOLE, False),
        (channel_bytes([], channel_id=ROOM), False),
        (MINIFIED, True),
        (channel_bytes([2, 1], channel_id=ROOM), True),
        (WHOLE.replace(b'"messageCount": 2', b'"messageCount": 3'), True),
        (
            WHOLE[:-2].replace(b',\n  "messageCount": 2', b"").replace(b"{", b'{\n  "messageCount": 2,', 1) + b"\n}",
            True,
        ),
    ],
    ids=["whole", "empty", "minified", "order", "count", "count first"],
)
def test_normalising_is_needed_for_layout_count_or_order(tmp_path: Path, data: bytes, needs: bool) -> None:
    (tmp_path / "it.json").write_bytes(data)
    assert needs_normalising(tmp_path / "it.json") is needs


def test_what_is_damaged_is_no_matter_of_normalising(tmp_path: Path) -> None:
    path = tmp_path / "it.json"
    path.write_bytes(WHOLE[:-40])
    with pytest.raises(DamagedFile):
        needs_normalising(path)
    path.write_bytes(b'{"guild": {')
    with pytest.raises(NothingToRecover):
        needs_normalising(path)
