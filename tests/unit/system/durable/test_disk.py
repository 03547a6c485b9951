import errno
import os
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from dce_play.system.durable.disk import REAL
from tests.support.processes import running


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


@pytest.fixture
def piecemeal(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let the kernel do at most three bytes a call, as it may."""
    read, write, read_into, copy = os.pread, os.pwrite, os.preadv, os.copy_file_range
    monkeypatch.setattr(os, "pread", lambda file, size, at: read(file, min(size, 3), at))
    monkeypatch.setattr(os, "pwrite", lambda file, data, at: write(file, data[:3], at))
    monkeypatch.setattr(os, "preadv", lambda file, views, at: read_into(file, [views[0][:3]], at))
    monkeypatch.setattr(os, "copy_file_range", lambda a, b, size, *at: copy(a, b, min(size, 3), *at))


@pytest.fixture
def source(tmp_path: Path) -> Iterator[int]:
    """Give a file of ten bytes."""
    (tmp_path / "source").write_bytes(b"0123456789")
    descriptor = REAL.open(tmp_path / "source", os.O_RDONLY)
    yield descriptor
    REAL.close(descriptor)


@pytest.fixture
def target(path: Path) -> Iterator[int]:
    """Give a file of three bytes."""
    path.write_bytes(b"abc")
    descriptor = REAL.open(path, os.O_RDWR)
    yield descriptor
    REAL.close(descriptor)


@pytest.mark.usefixtures("piecemeal")
def test_a_read_in_pieces_gives_what_was_asked_for_and_no_more(source: int) -> None:
    assert REAL.read_at(source, 7, 1) == b"1234567"
    assert REAL.read_at(source, 3, 0) == b"012"
    assert REAL.read_at(source, 20, 2) == b"23456789"


@pytest.mark.usefixtures("piecemeal")
def test_a_view_is_filled_in_pieces_as_far_as_the_file_goes(source: int) -> None:
    room = bytearray(8)
    assert REAL.read_into(source, memoryview(room), 1) == 8
    assert room == b"12345678"
    assert REAL.read_into(source, memoryview(room), 6) == 4
    assert room[:4] == b"6789"
    assert REAL.read_into(source, memoryview(room), 10) == 0


@pytest.mark.usefixtures("piecemeal")
def test_a_write_in_pieces_writes_all(target: int, path: Path) -> None:
    REAL.write_at(target, b"01234567", 2)
    assert path.read_bytes() == b"ab01234567"


def test_a_write_that_makes_no_progress_is_an_error(target: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "pwrite", lambda *_told: 0)
    with pytest.raises(OSError, match="no progress") as caught:
        REAL.write_at(target, b"x", 0)
    assert caught.value.errno == errno.EIO


@pytest.mark.usefixtures("piecemeal")
def test_a_copy_in_pieces_is_the_beginning_of_the_file(source: int, target: int, path: Path) -> None:
    REAL.copy(source, target, 8)
    assert path.read_bytes() == b"01234567"


def test_a_copy_takes_more_than_one_mebibyte(path: Path, tmp_path: Path) -> None:
    data = os.urandom((2 << 20) + 5)
    path.write_bytes(data)
    source, target = REAL.open(path, os.O_RDONLY), REAL.open(tmp_path / "copy", os.O_RDWR | os.O_CREAT)
    REAL.copy(source, target, len(data))
    REAL.close(source)
    REAL.close(target)
    assert (tmp_path / "copy").read_bytes() == data


@pytest.mark.usefixtures("piecemeal")
@pytest.mark.parametrize("refused", [0, errno.EXDEV, errno.EINVAL, errno.ENOSYS, errno.EOPNOTSUPP])
def test_a_range_is_copied_whole_also_where_the_kernel_cannot(
    source: int, target: int, path: Path, monkeypatch: pytest.MonkeyPatch, refused: int
) -> None:
    if refused:
        monkeypatch.setattr(os, "copy_file_range", refuse(refused))
    REAL.copy_range(source, target, 7, start=2, offset=1)
    assert path.read_bytes() == b"a2345678"


@pytest.mark.parametrize("refused", [0, errno.EXDEV])
def test_a_range_that_the_file_does_not_have_is_an_error(
    source: int, target: int, monkeypatch: pytest.MonkeyPatch, refused: int
) -> None:
    if refused:
        monkeypatch.setattr(os, "copy_file_range", refuse(refused))
    with pytest.raises(OSError, match="ended while") as caught:
        REAL.copy_range(source, target, 11, start=0, offset=0)
    assert caught.value.errno == errno.EIO


def test_a_range_that_could_not_be_copied_is_not_tried_another_way(
    source: int, target: int, path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(os, "copy_file_range", refuse(errno.ENOSPC))
    with pytest.raises(OSError, match="No space"):
        REAL.copy_range(source, target, 1, start=0, offset=0)
    assert path.read_bytes() == b"abc"


def refuse(reason: int) -> Callable[..., int]:
    def refused(*_told: object) -> int:
        raise OSError(reason, os.strerror(reason))

    return refused


def test_a_file_is_opened_for_writing_where_it_may_be(path: Path, tmp_path: Path) -> None:
    path.write_bytes(b"")
    descriptor = REAL.open_for_all(path, os.O_NOFOLLOW)
    assert REAL.may_write(descriptor)
    REAL.close(descriptor)

    program = Path(shutil.copy("/bin/sleep", tmp_path / "program"))
    with running([program, "60"]):  # the kernel lets nobody write to a program that runs
        descriptor = REAL.open_for_all(program, os.O_NOFOLLOW)
        assert not REAL.may_write(descriptor)
        REAL.close(descriptor)

    (tmp_path / "link").symlink_to(path)
    with pytest.raises(OSError, match="symbolic"):
        REAL.open_for_all(tmp_path / "link", os.O_NOFOLLOW)


def test_names_come_sorted_and_none_from_where_there_is_nothing(tmp_path: Path) -> None:
    for name in ("b", "c", "a"):
        (tmp_path / name).touch()
    assert REAL.names(tmp_path) == ["a", "b", "c"]
    assert REAL.names(tmp_path / "nowhere") == []


def test_what_is_gone_already_is_removed_without_a_word(path: Path) -> None:
    REAL.unlink(path)
    assert not path.exists()


def test_facts_are_the_kernels(path: Path) -> None:
    path.write_bytes(b"abc")
    os.utime(path, ns=(1, 2_000_000_003))
    facts, told = REAL.facts_of(path), path.stat()
    assert facts is not None
    assert (facts.device, facts.inode, facts.size_bytes) == (told.st_dev, told.st_ino, 3)
    assert (facts.mtime_ns, facts.ctime_ns) == (2_000_000_003, told.st_ctime_ns)


def test_room_is_told_in_bytes(tmp_path: Path) -> None:
    told = os.statvfs(tmp_path)
    assert abs(REAL.free_bytes(tmp_path) - told.f_bavail * told.f_frsize) < 1 << 30  # others write meanwhile


@pytest.mark.parametrize("opened", [REAL.open, REAL.open_for_all])
def test_a_new_file_gets_the_mode_that_was_asked_for(path: Path, opened: Callable[..., int]) -> None:
    REAL.close(opened(path, os.O_RDWR | os.O_CREAT, 0o600))
    assert path.stat().st_mode & 0o777 == 0o600
