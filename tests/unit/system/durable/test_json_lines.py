"""Files of lines: what was acknowledged is read, what was torn is passed over and closed."""

import errno
import os
from pathlib import Path

import pytest

from dce_play.system.durable.disk import REAL, Disk
from dce_play.system.durable.json_lines import LineFile, add_lines, read_lines


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "lines.jsonl"


def open_lines(path: Path, disk: Disk = REAL) -> LineFile:
    return LineFile(os.open(path, os.O_RDWR | os.O_CREAT, 0o600), disk=disk)


def test_lines_are_added_and_read(path: Path) -> None:
    add_lines(path, [b'{"n": 1}'])
    add_lines(path, [b'{"n": 2}', b'{"n": 3}'])

    assert [line["n"] for line in read_lines(path)] == [1, 2, 3]


def test_a_torn_line_is_closed_and_passed_over(path: Path) -> None:
    path.write_bytes(b'{"n": 1}\n{"n": 2')
    add_lines(path, [b'{"n": 3}'])

    assert [line["n"] for line in read_lines(path)] == [1, 3]


def test_there_is_nothing_in_a_file_that_is_not_there(path: Path) -> None:
    assert list(read_lines(path)) == []


def test_a_line_that_stands_at_the_end_is_not_written_again_and_a_torn_one_is(path: Path) -> None:
    add_lines(path, [b'{"id": "one"}'], unless=b"one")
    add_lines(path, [b'{"id": "one"}'], unless=b"one")
    assert path.read_bytes() == b'{"id": "one"}\n'

    path.write_bytes(b'{"id": "one"}\n{"id": "two"')
    add_lines(path, [b'{"id": "two"}'], unless=b"two")
    assert [line["id"] for line in read_lines(path)] == ["one", "two"]


def test_a_line_stands_already_when_any_of_the_last_whole_ones_has_it(path: Path) -> None:
    add_lines(path, [b"one", b"two", b"three"])
    add_lines(path, [b"again"], unless=b"one")
    add_lines(path, [b"again"], unless=b"three")
    assert path.read_bytes() == b"one\ntwo\nthree\n"

    add_lines(path, [b"x" * 70_000])
    add_lines(path, [b"one"], unless=b"one")
    assert path.read_bytes().endswith(b"x\none\n")


def test_a_write_that_lied_is_told(path: Path) -> None:
    class Lying(Disk):
        def write_at(self, descriptor: int, data: bytes, offset: int) -> None:
            super().write_at(descriptor, data[:-2] + b"?\n", offset)

    path.write_bytes(b'{"n": 0}\n')
    with pytest.raises(OSError, match="read back") as caught:
        add_lines(path, [b'{"n": 1}'], disk=Lying())
    assert (caught.value.errno, caught.value.filename) == (errno.EIO, path)


@pytest.mark.parametrize("torn", [b"", b"x", b"y" * 200_000])
@pytest.mark.parametrize("whole", [b"", b"\n", b"one\n", b"nought\none\n"])
def test_a_line_file_goes_on_behind_its_last_whole_line(path: Path, whole: bytes, torn: bytes) -> None:
    path.write_bytes(whole + torn)
    lines = open_lines(path)
    for line in (b"two", b"three", b"four"):
        lines.add(line, durable=True)
    lines.close()

    assert path.read_bytes() == whole + b"two\nthree\nfour\n"


def test_a_line_that_could_not_be_written_leaves_no_trace_before_the_next(path: Path) -> None:
    class Once(Disk):
        failed = False

        def write_at(self, descriptor: int, data: bytes, offset: int) -> None:
            if not self.failed:
                self.failed = True
                super().write_at(descriptor, data[:3], offset)
                raise OSError(28, "no space left")
            super().write_at(descriptor, data, offset)

    lines = open_lines(path, Once())
    with pytest.raises(OSError, match="no space"):
        lines.add(b"a long line", durable=True)
    lines.add(b"another line", durable=True)
    lines.close()

    assert path.read_bytes() == b"another line\n"


def test_only_what_must_be_durable_is_synced(path: Path) -> None:
    synced: list[int] = []

    class Counting(Disk):
        def sync_data(self, descriptor: int) -> None:
            synced.append(self.facts(descriptor).size_bytes)

    lines = open_lines(path, Counting())
    lines.add(b"a", durable=False)
    lines.add(b"b", durable=True)
    lines.close()

    assert synced == [4]
