"""Whole files: old or new, private from the first byte, and on the disk in the right order."""

from pathlib import Path

import pytest

from dce_play.system.durable.disk import Disk
from dce_play.system.durable.whole_files import (
    hidden_beside,
    is_below,
    read_whole,
    remove_leftovers,
    replacing,
    write_atomic,
)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "file"


def test_whole_files_are_written_and_read(path: Path) -> None:
    assert read_whole(path) is None
    write_atomic(path, b"one")
    write_atomic(path, b"two", durable=False)

    assert read_whole(path) == b"two"
    assert [entry.name for entry in path.parent.iterdir()] == ["file"]


class OrderKeeper(Disk):
    """Remembers the order of what makes a file durable."""

    def __init__(self) -> None:
        self.calls: list[str] = []

    def sync(self, descriptor: int) -> None:
        self.calls.append("sync file")
        super().sync(descriptor)

    def rename(self, source: Path, destination: Path) -> None:
        self.calls.append("rename")
        super().rename(source, destination)

    def sync_folder(self, folder: Path) -> None:
        self.calls.append("sync folder")
        super().sync_folder(folder)


def test_a_durable_file_is_synced_then_renamed_then_its_folder_is_synced(path: Path) -> None:
    disk = OrderKeeper()
    write_atomic(path, b"data", disk=disk)

    assert disk.calls == ["sync file", "rename", "sync folder"]


def test_a_file_that_is_not_to_be_durable_is_not_synced(path: Path) -> None:
    disk = OrderKeeper()
    write_atomic(path, b"data", durable=False, disk=disk)

    assert disk.calls == ["rename"]


def test_a_write_that_fails_leaves_the_old_file_and_nothing_beside_it(path: Path) -> None:
    class Full(Disk):
        def write_at(self, descriptor: int, data: bytes, offset: int) -> None:
            super().write_at(descriptor, data[:1], offset)
            raise OSError(28, "no space left")

    path.write_bytes(b"old")
    with pytest.raises(OSError, match="no space"):
        write_atomic(path, b"new", disk=Full())

    assert path.read_bytes() == b"old"
    assert [entry.name for entry in path.parent.iterdir()] == ["file"]


def test_a_secret_is_never_readable_by_others(path: Path) -> None:
    seen: list[int] = []

    class Watching(Disk):
        def write_at(self, descriptor: int, data: bytes, offset: int) -> None:
            seen.append(self.facts(descriptor).mode)
            super().write_at(descriptor, data, offset)

    write_atomic(path, b"secret", mode=0o600, disk=Watching())
    write_atomic(path, b"secret", disk=Watching())

    assert seen == [0o600, 0o600]
    assert path.stat().st_mode & 0o777 == 0o600


def test_a_fixed_temporary_that_is_a_link_is_not_written_through(path: Path, tmp_path: Path) -> None:
    victim = tmp_path / "victim"
    victim.write_bytes(b"precious")
    temporary = tmp_path / "file.tmp"
    temporary.symlink_to(victim)

    with pytest.raises(OSError, match="symbolic"):
        write_atomic(path, b"new", temporary=temporary)

    assert victim.read_bytes() == b"precious"


def test_the_longest_name_there_is_can_be_written(tmp_path: Path) -> None:
    path = tmp_path / ("x" * 255)
    write_atomic(path, b"data")

    assert path.read_bytes() == b"data"
    assert len(hidden_beside(path, ".end").name) == 255


def test_the_block_writes_and_the_name_comes_last(path: Path) -> None:
    with replacing(path) as new:
        new.path.write_bytes(b"by name")
        assert not path.exists()

    assert path.read_bytes() == b"by name"


def test_a_name_that_is_given_later_is_not_synced_yet(path: Path) -> None:
    disk = OrderKeeper()
    write_atomic(path, b"data", sync_name=False, disk=disk)

    assert disk.calls == ["sync file", "rename"]


def test_only_what_killed_writers_of_this_file_left_is_removed(path: Path) -> None:
    left = hidden_beside(path, ".0123abcd.tmp")
    others = [".other.0123abcd.tmp", ".file.0123abcd.tmpx", ".file.0123abc.tmp", ".fileX0123abcd.tmp", "file.tmp"]
    for each in (path, left, *(path.with_name(name) for name in others)):
        each.touch()
    remove_leftovers(path)
    remove_leftovers(path.parent / "nowhere" / "file")

    assert sorted(each.name for each in path.parent.iterdir()) == sorted(["file", *others])


def test_a_path_is_below_a_folder_by_where_links_lead(tmp_path: Path) -> None:
    (tmp_path / "a" / "b").mkdir(parents=True)
    (tmp_path / "link").symlink_to("a/b")

    assert is_below(tmp_path / "link", tmp_path / "a")
    assert is_below(tmp_path / "a", tmp_path / "a")
    assert not is_below(tmp_path / "ab", tmp_path / "a")
    assert not is_below(tmp_path / "a", None)
