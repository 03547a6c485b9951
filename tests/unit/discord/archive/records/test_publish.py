import os
from pathlib import Path

import pytest

from dce_play.discord.archive.records.publish import check_space, replacing
from dce_play.discord.archive.records.write_errors import NotEnoughSpace
from dce_play.system.durable.disk import REAL, Disk


@pytest.fixture
def archive(tmp_path: Path) -> Path:
    path = tmp_path / "room [111].json"
    path.write_bytes(b"old")
    return path


@pytest.mark.contract("R-2.08", "R-3.11")
def test_the_new_file_takes_the_name_when_the_block_ends(archive: Path) -> None:
    with replacing(archive, like=None, disk=REAL) as (path, descriptor):
        os.write(descriptor, b"new")
        assert archive.read_bytes() == b"old"
        assert path.parent == archive.parent
        assert not path.name.endswith(".json")

    assert archive.read_bytes() == b"new"
    assert [entry.name for entry in archive.parent.iterdir()] == [archive.name]


def test_a_block_that_fails_leaves_the_old_file_alone(archive: Path) -> None:
    with pytest.raises(KeyError), replacing(archive, like=None, disk=REAL):
        raise KeyError

    assert archive.read_bytes() == b"old"
    assert [entry.name for entry in archive.parent.iterdir()] == [archive.name]


@pytest.mark.contract("D-02", "R-2.07")
def test_the_new_file_is_never_readable_by_more_than_the_old_one(archive: Path) -> None:
    archive.chmod(0o640)
    with replacing(archive, like=REAL.facts_of(archive), disk=REAL) as (path, _):
        assert path.stat().st_mode & 0o777 == 0o640

    assert archive.stat().st_mode & 0o777 == 0o640


@pytest.mark.contract("D-29")
def test_the_longest_name_there_is_can_be_replaced(tmp_path: Path) -> None:
    archive = tmp_path / ("é" * 124 + " .json")
    archive.write_bytes(b"old")
    assert len(os.fsencode(archive.name)) > 250

    with replacing(archive, like=None, disk=REAL) as (_, descriptor):
        os.write(descriptor, b"new")

    assert archive.read_bytes() == b"new"


def test_a_mebibyte_stays_free(tmp_path: Path) -> None:
    class Small(Disk):
        def free_bytes(self, _folder: Path) -> int:
            return (1 << 20) + 10

    check_space(tmp_path, 10, disk=Small())
    with pytest.raises(NotEnoughSpace, match="1048587 bytes needed, 1048586 free"):
        check_space(tmp_path, 11, disk=Small())
