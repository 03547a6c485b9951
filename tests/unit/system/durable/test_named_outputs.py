"""What stands under a name that an operator gave is written or refused, and never replaced by something else."""

import os
import stat
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest

from dce_play.system.durable import named_outputs
from dce_play.system.durable.named_outputs import (
    OutputNotWritten,
    check_named,
    is_written_through,
    replaceable,
    write_named,
)
from tests.support.bounds import at_most

pytestmark = pytest.mark.contract("F-L8")


def read_in_background(path: Path, *, after_s: float = 0.0) -> tuple[threading.Thread, list[bytes]]:
    got: list[bytes] = []

    def read() -> None:
        time.sleep(after_s)
        got.append(path.read_bytes())

    thread = threading.Thread(target=read, daemon=True)
    thread.start()
    return thread, got


@contextmanager
def another_user() -> Iterator[None]:
    """Be nobody in the block, as far as the kernel asks who we are; whoever is not root stays who he is."""
    if os.geteuid() != 0:
        yield
        return
    os.setresuid(65534, 65534, 0)
    try:
        yield
    finally:
        os.setresuid(0, 0, 0)


@pytest.fixture
def open_folder() -> Iterator[Path]:
    """Yield a folder that every user finds. It is not below ``tmp_path``: every pytest that starts closes that."""
    with TemporaryDirectory() as folder:
        Path(folder).chmod(0o755)
        yield Path(folder)


def check(path: Path) -> None:
    check_named(path, what="the report")


def write(path: Path) -> None:
    write_named(path, b"x", what="the report")


def replace(path: Path) -> None:
    replaceable(path, what="the report")


def assert_refused(job: Callable[[Path], None], path: Path, reason: str) -> None:
    with pytest.raises(OutputNotWritten) as caught:
        job(path)
    error = caught.value
    assert str(error) == f"cannot write the report to {path}: {reason}"
    assert (error.path, error.reason, error.exit_code) == (path, reason, 1)
    assert error.hint == "name a file in a folder that exists, may be written and has room"


def test_a_fifo_is_written_through_also_more_than_it_holds(tmp_path: Path) -> None:
    path, data = tmp_path / "pipe", b"x" * 300_000
    os.mkfifo(path)
    thread, got = read_in_background(path)
    write_named(path, data, what="it")
    thread.join(10)
    assert got == [data]
    assert stat.S_ISFIFO(path.lstat().st_mode)


def test_a_fifo_that_nobody_reads_is_an_error_after_a_while(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(named_outputs, "FIFO_PATIENCE_S", 0.1)
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(OutputNotWritten, match="nobody reads it"):
        write_named(tmp_path / "pipe", b"x", what="it")


def test_a_reader_that_comes_late_is_waited_for(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    thread, got = read_in_background(tmp_path / "pipe", after_s=0.3)
    write_named(tmp_path / "pipe", b"x", what="it")
    thread.join(10)
    assert got == [b"x"]


def test_a_reader_that_takes_nothing_is_an_error_after_a_while(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(named_outputs, "FIFO_PATIENCE_S", 0.1)
    os.mkfifo(tmp_path / "pipe")
    reader = os.open(tmp_path / "pipe", os.O_RDONLY | os.O_NONBLOCK)
    assert_refused(
        lambda path: write_named(path, b"x" * (4 << 20), what="the report"),
        tmp_path / "pipe",
        "nobody takes what is written",
    )
    os.close(reader)


def test_a_device_stays_a_device(tmp_path: Path) -> None:
    path = tmp_path / "null"
    try:
        os.mknod(path, stat.S_IFCHR | 0o666, os.makedev(1, 3))
        path.open("wb").close()
    except PermissionError:
        pytest.skip("devices cannot be made or used here: needs root")
    write_named(path, b"x", what="it")
    assert stat.S_ISCHR(path.lstat().st_mode)


def test_a_full_device_is_told() -> None:
    assert_refused(write, Path("/dev/full"), "no space left on device")


@pytest.mark.parametrize("there", [True, False])
def test_a_link_stays_and_what_it_leads_to_is_written(tmp_path: Path, there: bool) -> None:
    real, link = tmp_path / "real", tmp_path / "link"
    if there:
        real.write_bytes(b"old")
    link.symlink_to("real")
    write_named(link, b"new", what="it")
    assert link.is_symlink()
    assert real.read_bytes() == b"new"


def test_folders_are_made_only_where_that_is_asked_for(tmp_path: Path) -> None:
    path = tmp_path / "one" / "two" / "it"
    assert_refused(write, path, "no such file or directory")
    for data in (b"old", b"new"):
        write_named(path, data, what="it", make_folder=True)
        assert path.read_bytes() == data


def test_a_file_has_the_mode_that_is_asked_for(tmp_path: Path) -> None:
    write_named(tmp_path / "it", b"x", what="it", mode=0o600)
    assert (tmp_path / "it").stat().st_mode & 0o777 == 0o600
    write_named(tmp_path / "it", b"x", what="it", mode=0o640)
    assert (tmp_path / "it").stat().st_mode & 0o777 == 0o640


def test_links_in_a_circle_are_an_error(tmp_path: Path) -> None:
    (tmp_path / "a").symlink_to("b")
    (tmp_path / "b").symlink_to("a")
    for job in (check, write, replace):
        assert_refused(job, tmp_path / "a", "too many levels of symbolic links")
    assert (tmp_path / "a").is_symlink()


def test_a_descriptor_of_our_own_is_written_where_it_stands(tmp_path: Path) -> None:
    with (tmp_path / "out").open("wb", buffering=0) as file:
        file.write(b"before\n")
        write_named(Path(f"/dev/fd/{file.fileno()}"), b"it\n", what="it")
        file.write(b"after\n")
    assert (tmp_path / "out").read_bytes() == b"before\nit\nafter\n"


@pytest.mark.parametrize("kind", ["folder", "socket", "no folder", "file as folder", "disk"])
def test_what_cannot_be_written_is_refused_before_and_after(tmp_path: Path, kind: str) -> None:
    path = tmp_path / "it"
    if kind == "folder":
        path.mkdir()
        told = ("it is a folder",) * 3
    elif kind == "socket":
        os.mknod(path, stat.S_IFSOCK | 0o600)
        told = ("it is a socket",) * 3
    elif kind == "disk":
        try:
            os.mknod(path, stat.S_IFBLK | 0o600, os.makedev(7, 0))
        except PermissionError:
            pytest.skip("devices cannot be made here: needs root")
        told = ("it is a disk",) * 3
    else:
        path = tmp_path / "other" / "it"
        told = ("its folder is not there", "no such file or directory", "")
        if kind == "file as folder":
            path.parent.write_bytes(b"")
            told = ("not a directory",) * 3
    for job, reason in zip((check, write, replace), told, strict=True):
        if reason:
            assert_refused(job, path, reason)


@pytest.mark.parametrize("kind", ["nothing", "file", "link", "fifo", "device", "descriptor"])
def test_what_can_be_written_is_not_refused_before_the_work(tmp_path: Path, kind: str) -> None:
    path = tmp_path / "it"
    if kind == "file":
        path.write_bytes(b"old")
    elif kind == "link":
        path.symlink_to("other")
    elif kind == "fifo":
        os.mkfifo(path)
    elif kind == "device":
        path = Path("/dev/null")
    with (tmp_path / "open").open("wb") as file:
        check(Path(f"/dev/fd/{file.fileno()}") if kind == "descriptor" else path)


def test_a_folder_that_one_may_not_write_in_is_told_before_the_work(open_folder: Path) -> None:
    for mode, told in ((0o555, "its folder may not be written"), (0o666, "permission denied")):
        place = open_folder / f"{mode:o}"
        place.mkdir()
        check(place / "it")
        place.chmod(mode)
        with another_user():
            assert_refused(check, place / "it", told)


def test_a_fifo_that_one_may_not_write_is_told_before_and_after(open_folder: Path) -> None:
    os.mkfifo(open_folder / "pipe", 0o600)
    check(open_folder / "pipe")
    (open_folder / "pipe").chmod(0o444)
    with another_user():
        for job in (check, write, replace):
            assert_refused(job, open_folder / "pipe", "it may not be written")


def test_only_a_device_a_fifo_or_a_descriptor_is_written_through(tmp_path: Path) -> None:
    file, pipe, circle = tmp_path / "file", tmp_path / "pipe", tmp_path / "circle"
    os.mkfifo(pipe)
    circle.symlink_to("circle")
    with file.open("wb") as open_file:
        through = [pipe, Path("/dev/null"), Path(f"/dev/fd/{open_file.fileno()}")]
        assert [path for path in through if not is_written_through(path)] == []
    assert [path for path in (file, tmp_path, tmp_path / "nothing", circle) if is_written_through(path)] == []


def test_only_a_regular_file_is_replaced_by_a_whole_one(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    assert_refused(replace, tmp_path / "pipe", "it is no regular file")
    (tmp_path / "link").symlink_to("file")
    assert replaceable(tmp_path / "link", what="it") == tmp_path / "file"


@pytest.mark.parametrize("beyond", [0, 1])
def test_so_many_links_may_lead_to_a_descriptor(tmp_path: Path, beyond: int) -> None:
    reading, writing = os.pipe()
    place = Path(f"/proc/self/fd/{writing}")
    for number in range(at_most("system.durable.named_outputs:_MOST_LINKS") + beyond):
        (tmp_path / str(number)).symlink_to(place)
        place = tmp_path / str(number)
    try:
        if beyond:
            with pytest.raises(OutputNotWritten, match="symbolic links"):
                write_named(place, b"data", what="it")
            os.close(writing)
            assert os.read(reading, 10) == b""
        else:
            write_named(place, b"data", what="it")
            assert os.read(reading, 10) == b"data"
            os.close(writing)
        assert place.is_symlink()
    finally:
        os.close(reading)
