"""Only a regular file is read: nothing else that may stand there is waited for."""

import os
import socket
from pathlib import Path

import pytest

from dce_play.system.durable.regular_files import open_regular, read_regular


def test_a_files_bytes_are_read_also_through_a_link(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"\x00data\r\n")
    (tmp_path / "link").symlink_to("file")
    assert read_regular(tmp_path / "file") == read_regular(tmp_path / "link") == b"\x00data\r\n"


def test_the_descriptor_is_not_inherited(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    descriptor = open_regular(tmp_path / "file")
    assert not os.get_inheritable(descriptor)
    os.close(descriptor)


@pytest.mark.parametrize("kind", ["fifo", "folder", "device"])
def test_what_is_no_regular_file_is_refused_at_once_and_not_kept_open(tmp_path: Path, kind: str) -> None:
    path = Path("/dev/zero") if kind == "device" else tmp_path / kind
    if kind == "fifo":
        os.mkfifo(path)
    if kind == "folder":
        path.mkdir()
    free = os.dup(0)
    os.close(free)
    with pytest.raises(OSError, match="not a regular file") as caught:
        read_regular(path)
    assert (caught.value.errno, caught.value.filename) == (22, str(path))
    assert os.dup(0) == free  # the lowest number that is not in use
    os.close(free)


def test_a_socket_and_a_name_that_is_not_there_are_errors(tmp_path: Path) -> None:
    with socket.socket(socket.AF_UNIX) as listening:
        listening.bind(os.fspath(tmp_path / "s"))
        with pytest.raises(OSError, match="No such device"):
            open_regular(tmp_path / "s")
    with pytest.raises(FileNotFoundError):
        open_regular(tmp_path / "nowhere")
