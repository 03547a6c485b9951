"""Which target's folder a file belongs to."""

from pathlib import Path

from dce_play.discord.archive.folder.places import layout_of, target_folders
from tests.support.channel_files import write_channel

ROOM = "[1573508731788951644].json"


def test_a_file_belongs_to_the_nearest_folder_with_our_records(tmp_path: Path) -> None:
    (tmp_path / "t" / ".dce-meta").mkdir(parents=True)
    assert layout_of(tmp_path / "t" / "deep" / "x.json").folder == tmp_path / "t"


def test_without_records_a_file_belongs_to_its_own_folder(tmp_path: Path) -> None:
    assert layout_of(tmp_path / "deep" / "x.json").folder == tmp_path / "deep"


def test_folders_with_records_or_exports_under_way_are_the_targets(tmp_path: Path) -> None:
    (tmp_path / "a" / ".dce-meta").mkdir(parents=True)
    (tmp_path / "b" / ".dce-temp").mkdir(parents=True)
    write_channel(tmp_path / "c" / ROOM, [1])
    assert target_folders(tmp_path) == [tmp_path / "a", tmp_path / "b", tmp_path / "c"]


def test_no_target_lies_in_another(tmp_path: Path) -> None:
    (tmp_path / ".dce-meta").mkdir()
    (tmp_path / "a" / ".dce-meta").mkdir(parents=True)
    write_channel(tmp_path / "b" / ROOM, [1])
    assert target_folders(tmp_path) == [tmp_path]


def test_a_root_with_files_of_its_own_is_one_target(tmp_path: Path) -> None:
    write_channel(tmp_path / ROOM, [1])
    write_channel(tmp_path / "deep" / ROOM, [1])
    assert target_folders(tmp_path) == [tmp_path]


def test_else_each_folder_of_the_root_that_holds_files_is_one(tmp_path: Path) -> None:
    write_channel(tmp_path / "a" / "deep" / ROOM, [1])
    write_channel(tmp_path / "b" / ROOM, [1])
    (tmp_path / "empty").mkdir()
    assert target_folders(tmp_path) == [tmp_path / "a", tmp_path / "b"]
