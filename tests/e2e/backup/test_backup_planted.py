"""What somebody planted in backup_root under a name of ours: never followed, never written to, never a crash."""

from pathlib import Path

import pytest

from tests.support.backups import Yard, yard_in

PART = ".kuma-20200101T000000Z.tar.gz.part"


@pytest.fixture
def yard(tmp_path: Path) -> Yard:
    """Give a yard with one backup, and a file of somebody else's beside backup_root."""
    made = yard_in(tmp_path)
    made.take()
    (tmp_path / "victim").write_text("somebody else's")
    return made


def victim(yard: Yard) -> Path:
    return yard.data.parent / "victim"


@pytest.mark.contract("B2", "B12", "N7")
@pytest.mark.parametrize("name", ["victim", "made"])
def test_a_link_in_the_place_of_the_lock_is_refused_and_not_followed(yard: Yard, name: str) -> None:
    lock = yard.root / ".dce-backup" / "kuma.lock"
    lock.unlink()
    lock.symlink_to(yard.data.parent / name)
    before = yard.names()
    code, found = yard.ask("run", "kuma", "--allow-unattended")
    assert (code, found["failed"][0]["error"]) == (4, "unsafe-root"), found
    assert str(lock) in found["failed"][0]["message"]
    assert yard.names() == before
    assert victim(yard).read_text() == "somebody else's"
    assert not (yard.data.parent / "made").exists()


@pytest.mark.contract("B2", "N7")
def test_a_planted_part_goes_without_what_it_leads_to(yard: Yard) -> None:
    (yard.root / PART).symlink_to(victim(yard))
    (yard.root / PART.replace("2020", "2021")).hardlink_to(victim(yard))
    yard.take()
    assert [name for name in yard.names() if name.endswith(".part")] == []
    assert victim(yard).read_text() == "somebody else's"


@pytest.mark.contract("B2", "N7")
def test_a_folder_in_the_place_of_a_part_is_told_and_stays(yard: Yard) -> None:
    (yard.root / PART).mkdir()
    (yard.root / PART / "kept").write_text("somebody else's")
    code, found = yard.ask("run", "kuma", "--allow-unattended")
    assert (code, found["failed"][0]["error"]) == (1, "write-failed"), found
    assert PART in found["failed"][0]["message"]
    assert (yard.root / PART / "kept").read_text() == "somebody else's"
