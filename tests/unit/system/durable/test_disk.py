import os
from pathlib import Path

import pytest

from dce_play.system.durable.disk import REAL


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "file"


def test_a_read_beyond_the_end_gives_what_there_is(path: Path) -> None:
    path.write_bytes(b"abc")
    descriptor = REAL.open(path, os.O_RDONLY)
    try:
        assert REAL.read_at(descriptor, 10, 1) == b"bc"
        assert REAL.read_at(descriptor, 10, 5) == b""
        assert REAL.read_at(descriptor, 0, 0) == b""
    finally:
        REAL.close(descriptor)


def test_descriptors_are_not_inherited(path: Path) -> None:
    descriptor = REAL.open(path, os.O_WRONLY | os.O_CREAT)
    try:
        assert not os.get_inheritable(descriptor)
    finally:
        REAL.close(descriptor)


def test_folders_are_made_with_their_parents(tmp_path: Path) -> None:
    REAL.make_folder(tmp_path / "a/b/c")
    REAL.make_folder(tmp_path / "a/b/c")

    assert (tmp_path / "a/b/c").is_dir()


def test_a_copy_of_a_file_that_ends_early_fails(path: Path, tmp_path: Path) -> None:
    path.write_bytes(b"abc")
    source = REAL.open(path, os.O_RDONLY)
    target = REAL.open(tmp_path / "copy", os.O_RDWR | os.O_CREAT)
    try:
        with pytest.raises(OSError, match="ended"):
            REAL.copy(source, target, 4)
    finally:
        REAL.close(source)
        REAL.close(target)


def test_a_link_never_replaces(path: Path, tmp_path: Path) -> None:
    path.write_bytes(b"new")
    (tmp_path / "taken").write_bytes(b"old")

    with pytest.raises(FileExistsError):
        REAL.link(path, tmp_path / "taken")

    assert (tmp_path / "taken").read_bytes() == b"old"


@pytest.mark.root
def test_owner_and_mode_are_given(path: Path, tmp_path: Path) -> None:
    if os.geteuid() != 0:
        pytest.skip("only root can give a file away")
    path.write_bytes(b"")
    os.chown(path, 1234, 1235)
    path.chmod(0o606)
    facts = REAL.facts_of(path)
    assert facts is not None
    descriptor = REAL.open(tmp_path / "other", os.O_RDWR | os.O_CREAT, 0o600)
    try:
        REAL.give(descriptor, facts)
        given = REAL.facts(descriptor)
    finally:
        REAL.close(descriptor)

    assert (given.uid, given.gid, given.mode) == (1234, 1235, 0o606)
