"""What stands under a name that an operator gave is written or refused, and never replaced by something else."""

import os
import stat
import threading
from pathlib import Path

import pytest

from dce_play.system.durable import named_outputs
from dce_play.system.durable.named_outputs import OutputNotWritten, check_named, replaceable, write_named
from tests.support.bounds import at_most

pytestmark = pytest.mark.contract("F-L8")


def read_in_background(path: Path) -> tuple[threading.Thread, list[bytes]]:
    got: list[bytes] = []
    thread = threading.Thread(target=lambda: got.append(path.read_bytes()), daemon=True)
    thread.start()
    return thread, got


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
    with pytest.raises(OutputNotWritten, match="no space left"):
        write_named(Path("/dev/full"), b"x", what="the report")


@pytest.mark.parametrize("there", [True, False])
def test_a_link_stays_and_what_it_leads_to_is_written(tmp_path: Path, there: bool) -> None:
    real, link = tmp_path / "real", tmp_path / "link"
    if there:
        real.write_bytes(b"old")
    link.symlink_to("real")
    write_named(link, b"new", what="it")
    assert link.is_symlink()
    assert real.read_bytes() == b"new"


def test_links_in_a_circle_are_an_error(tmp_path: Path) -> None:
    (tmp_path / "a").symlink_to("b")
    (tmp_path / "b").symlink_to("a")
    with pytest.raises(OutputNotWritten):
        write_named(tmp_path / "a", b"x", what="it")
    assert (tmp_path / "a").is_symlink()


def test_a_descriptor_of_our_own_is_written_where_it_stands(tmp_path: Path) -> None:
    with (tmp_path / "out").open("wb", buffering=0) as file:
        file.write(b"before\n")
        write_named(Path(f"/dev/fd/{file.fileno()}"), b"it\n", what="it")
        file.write(b"after\n")
    assert (tmp_path / "out").read_bytes() == b"before\nit\nafter\n"


@pytest.mark.parametrize("kind", ["folder", "socket", "no folder", "file as folder"])
def test_what_cannot_be_written_is_refused_before_and_after(tmp_path: Path, kind: str) -> None:
    path = tmp_path / "it"
    if kind == "folder":
        path.mkdir()
    elif kind == "socket":
        os.mknod(path, stat.S_IFSOCK | 0o600)
    else:
        path = tmp_path / "other" / "it"
        if kind == "file as folder":
            path.parent.write_bytes(b"")
    with pytest.raises(OutputNotWritten):
        check_named(path, what="it")
    with pytest.raises(OutputNotWritten) as caught:
        write_named(path, b"x", what="it")
    assert caught.value.exit_code == 1
    assert str(path) in str(caught.value)


def test_only_a_regular_file_is_replaced_by_a_whole_one(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(OutputNotWritten, match="no regular file"):
        replaceable(tmp_path / "pipe", what="it")
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
