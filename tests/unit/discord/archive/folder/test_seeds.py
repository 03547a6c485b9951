"""Finding channel files by name."""

import os
from pathlib import Path

import pytest

from dce_play.discord.archive.folder.seeds import channel_id_of, find_seeds, json_files, twins_among
from dce_play.snowflake import ChannelId

ID = ChannelId("1573508731788951644")


def touch(path: Path) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(b"{}")
    return path


@pytest.mark.contract("R-2.01", "D-33")
@pytest.mark.parametrize(
    "name",
    [
        f"Guild - Category - room [{ID}].json",
        f"[{ID}].json",
        f"room [{ID}] (after 2024-01-01).json",
        f"room [{ID}] (before 2024-01-01).json",
        f"room [{ID}] (2024-01-01 to 2024-02-01).json",
        f"room [{ID}] [part 2].json",
        f"room [{ID}] (after 2024-01-01) [part 12].json",
        f"room [2] x [{ID}].json",
        f".hidden [{ID}].json",
    ],
)
def test_a_channel_is_known_by_its_name(name: str) -> None:
    assert channel_id_of(name) == ID


@pytest.mark.parametrize(
    "name", ["room.json", f"room {ID}.json", f"room [{ID}].json.bak", f"room [{ID}] (copy).json", "room [x].json"]
)
def test_other_names_are_no_channel_files(name: str) -> None:
    assert channel_id_of(name) is None


@pytest.mark.contract("R-2.09")
def test_our_own_folders_are_never_searched(tmp_path: Path) -> None:
    kept = touch(tmp_path / "deep" / "er" / f"a [{ID}].json")
    touch(tmp_path / ".dce-meta" / f"b [{ID}].json")
    touch(tmp_path / "deep" / ".dce-temp" / "quarantine" / f"c [{ID}].json")
    assert [seed.path for seed in find_seeds(tmp_path)] == [kept]


@pytest.mark.contract("R-2.10")
def test_hidden_files_are_found(tmp_path: Path) -> None:
    hidden = touch(tmp_path / f".._evil [{ID}].json")
    assert [seed.path for seed in find_seeds(tmp_path)] == [hidden]


@pytest.mark.contract("R-2.11")
def test_names_that_are_not_utf8_are_found_like_any_other(tmp_path: Path) -> None:
    odd = touch(tmp_path / os.fsdecode(b"caf\xe9 [1573508731788951644].json"))
    assert [seed.path for seed in find_seeds(tmp_path)] == [odd]


def test_short_ids_count_only_when_they_are_known(tmp_path: Path) -> None:
    path = touch(tmp_path / "Fixture [111].json")
    assert find_seeds(tmp_path) == []
    assert [seed.path for seed in find_seeds(tmp_path, known={ChannelId("111")})] == [path]


def test_a_folder_that_is_not_there_has_no_files(tmp_path: Path) -> None:
    assert find_seeds(tmp_path / "none") == []


@pytest.mark.contract("D-26")
def test_links_to_folders_are_not_followed(tmp_path: Path) -> None:
    touch(tmp_path / "elsewhere" / f"a [{ID}].json")
    target = tmp_path / "target"
    target.mkdir()
    (target / "link").symlink_to(tmp_path / "elsewhere")
    assert find_seeds(target) == []


def test_every_json_file_is_listed_in_the_same_order_each_time(tmp_path: Path) -> None:
    made = [touch(tmp_path / name) for name in ("b.json", "a.json", "x/c.json")]
    assert sorted(json_files(tmp_path)) == sorted(made)
    assert list(json_files(tmp_path)) == list(json_files(tmp_path))


@pytest.mark.contract("R-2.02", "D-01")
def test_two_files_of_one_channel_are_twins(tmp_path: Path) -> None:
    one = touch(tmp_path / f"a [{ID}].json")
    two = touch(tmp_path / f"b [{ID}] (after 2024-01-01).json")
    touch(tmp_path / "c [1573508731788951645].json")
    assert twins_among(find_seeds(tmp_path)) == {ID: [one, two]}
