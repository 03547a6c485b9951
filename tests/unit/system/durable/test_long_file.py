"""A long file holds what was written, whichever way each part of it went to the disk."""

import errno
import mmap
import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from dce_play.system.durable.disk import Disk
from dce_play.system.durable.long_file import LongFile

PIECE = 1 << 20


class Watched(Disk):
    """Notes which bytes go around the page cache."""

    def __init__(self) -> None:
        self.bypass = False
        self.around: list[tuple[int, int]] = []

    def bypass_cache(self, descriptor: int, *, bypass: bool) -> bool:
        self.bypass = super().bypass_cache(descriptor, bypass=bypass)
        return self.bypass

    def write_view(self, descriptor: int, view: memoryview, offset: int) -> None:
        if self.bypass:
            self.around.append((offset, len(view)))
        super().write_view(descriptor, view, offset)


class WantsOtherPages(Watched):
    """Takes the flag, and then no write, as a file system does whose blocks are larger than a page."""

    def write_view(self, descriptor: int, view: memoryview, offset: int) -> None:
        if self.bypass:
            super().write_view(descriptor, view[: mmap.PAGESIZE], offset)
            raise OSError(errno.EINVAL, "no")
        super().write_view(descriptor, view, offset)


class KnowsNoBypass(Watched):
    def bypass_cache(self, descriptor: int, *, bypass: bool) -> bool:  # noqa: ARG002 - as the disk has it
        return False


class Breaks(Watched):
    """Fails what goes around the cache."""

    def bypass_cache(self, descriptor: int, *, bypass: bool) -> bool:  # noqa: ARG002 - as the disk has it
        self.bypass = bypass
        return bypass

    def write_view(self, descriptor: int, view: memoryview, offset: int) -> None:
        if self.bypass:
            raise OSError(errno.EIO, "broken")
        super().write_view(descriptor, view, offset)


@pytest.fixture
def pages() -> Iterator[memoryview]:
    memory = mmap.mmap(-1, 4 * PIECE)
    memory.write(os.urandom(4 * PIECE))
    view = memoryview(memory)
    yield view
    view.release()


def _write(disk: Disk, path: Path, parts: list[bytes | memoryview]) -> bytes:
    descriptor = disk.open(path, os.O_WRONLY | os.O_CREAT)
    file = LongFile(disk, descriptor)
    for part in parts:
        file.write(part)
    file.settle()
    disk.sync(descriptor)
    disk.close(descriptor)
    assert file.at == sum(map(len, parts))
    return path.read_bytes()


def _parts(pages: memoryview) -> list[bytes | memoryview]:
    """Return parts as a body brings them: its head copied, whole buffers, one in two, its end."""
    head, end = 5000, 3 * PIECE + 777
    return [bytes(pages[:head]), pages[head:PIECE], pages[PIECE : 2 * PIECE], bytes(pages[2 * PIECE : 2 * PIECE + 9]),
            pages[2 * PIECE + 9 : 3 * PIECE], pages[3 * PIECE : end]]  # fmt: skip


def test_whole_pages_go_around_the_cache_and_all_else_through_it(tmp_path: Path, pages: memoryview) -> None:
    disk = Watched()
    assert _write(disk, tmp_path / "a", _parts(pages)) == bytes(pages[: 3 * PIECE + 777])
    if disk.around or (tmp_path / "a").stat().st_dev != Path("/dev/shm").stat().st_dev:
        assert disk.around == [(PIECE, PIECE)]


@pytest.mark.parametrize("kind", [WantsOtherPages, KnowsNoBypass])
def test_a_disk_that_takes_nothing_around_its_cache_has_it_all_the_same(
    kind: type[Watched], tmp_path: Path, pages: memoryview
) -> None:
    disk = kind()
    parts: list[bytes | memoryview] = [pages[at : at + PIECE] for at in range(0, 4 * PIECE, PIECE)]
    assert _write(disk, tmp_path / "a", [*parts, b"end"]) == bytes(pages) + b"end"
    assert len(disk.around) <= 1


def test_what_cannot_be_written_around_the_cache_is_told(tmp_path: Path, pages: memoryview) -> None:
    disk = Breaks()
    descriptor = disk.open(tmp_path / "a", os.O_WRONLY | os.O_CREAT)
    file = LongFile(disk, descriptor)
    with pytest.raises(OSError, match="broken"):
        file.write(pages[:PIECE])
    assert file.at == 0
    disk.close(descriptor)
