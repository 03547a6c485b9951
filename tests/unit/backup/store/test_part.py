"""The file that becomes a backup: made anew under its name or not at all, and published beside nobody else's."""

import os
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from dce_play.backup.errors import BackupError, ErrorId
from dce_play.backup.store.names import manifest_name, part_name
from dce_play.backup.store.part import PartFile

NAME = "kuma-20261128T221500Z.tar.gz"


@pytest.fixture
def victim(tmp_path: Path) -> Path:
    """Give a file of somebody else's, beside backup_root."""
    path = tmp_path / "victim"
    path.write_text("somebody else's")
    (tmp_path / "root").mkdir()
    return path


def plain(place: Path, _victim: Path) -> None:
    place.write_text("somebody else's")


PLANTS: dict[str, Callable[[Path, Path], object]] = {
    "a link": lambda place, victim: place.symlink_to(victim),
    "a link to what is not there": lambda place, victim: place.symlink_to(victim.with_name("made")),
    "a second name": lambda place, victim: place.hardlink_to(victim),
    "a file": plain,
    "a folder": lambda place, _victim: place.mkdir(),
}


@pytest.mark.contract("B2", "N7")
@pytest.mark.parametrize("plant", PLANTS)
def test_what_is_planted_where_a_backup_is_written_is_neither_followed_nor_written_over(
    victim: Path, plant: str
) -> None:
    root = victim.parent / "root"
    place = root / part_name(NAME)
    PLANTS[plant](place, victim)
    before = place.lstat()
    with pytest.raises(BackupError) as caught:
        PartFile(root, NAME)
    assert (caught.value.error_id, caught.value.exit_code) == (ErrorId.WRITE_FAILED, 1)
    assert (place.lstat().st_ino, place.lstat().st_size) == (before.st_ino, before.st_size)
    assert victim.read_text() == "somebody else's"
    assert sorted(each.name for each in victim.parent.iterdir()) == ["root", "victim"]


@pytest.mark.contract("B2", "N7")
@pytest.mark.parametrize("name", [NAME, manifest_name(NAME)])
@pytest.mark.parametrize("plant", PLANTS)
def test_a_name_that_is_taken_when_the_backup_gets_it_is_left_as_it_is(victim: Path, plant: str, name: str) -> None:
    root = victim.parent / "root"
    part = PartFile(root, NAME)
    part.write(b"ours")
    part.finish()
    PLANTS[plant](root / name, victim)
    before = (root / name).lstat()
    with pytest.raises(BackupError) as caught:
        part.publish(b"{}")
    part.abort()
    assert caught.value.error_id is ErrorId.WRITE_FAILED
    after = (root / name).lstat()
    assert (after.st_ino, after.st_size) == (before.st_ino, before.st_size)
    assert [each.name for each in root.iterdir()] == [name]
    assert victim.read_text() == "somebody else's"


@pytest.fixture
def narrow_umask() -> Iterator[None]:
    """Take every right away from new files."""
    before = os.umask(0o777)
    yield
    os.umask(before)


@pytest.mark.contract("B2", "N7")
@pytest.mark.usefixtures("narrow_umask")
def test_a_backup_is_its_owners_to_read_and_write_also_where_the_umask_takes_that_away(tmp_path: Path) -> None:
    part = PartFile(tmp_path, NAME)
    part.publish(b"{}")
    assert [(tmp_path / name).stat().st_mode & 0o777 for name in (NAME, manifest_name(NAME))] == [0o600, 0o600]
