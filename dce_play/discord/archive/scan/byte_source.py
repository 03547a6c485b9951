"""Where a scan takes its bytes from: a file, or a channel file as it was between two appends."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from dce_play.discord.archive.scan.channel_bytes import ChannelBytes


class ByteSource(Protocol):
    """Bytes that can be read at any offset and do not change while they are read."""

    @property
    def path(self) -> Path: ...

    @property
    def size_bytes(self) -> int: ...

    def read_into(self, view: memoryview, offset: int, /) -> int:
        """Fill the view from the offset on and return how many bytes there were."""


@dataclass(frozen=True, slots=True, kw_only=True)
class FileSource:
    """An open file, of the size that it had when it was opened."""

    path: Path
    size_bytes: int
    descriptor: int

    def read_into(self, view: memoryview, offset: int, /) -> int:
        wanted = min(len(view), self.size_bytes - offset)
        done = 0
        while done < wanted:
            count = os.preadv(self.descriptor, [view[done:wanted]], offset + done)
            if count == 0:
                break
            done += count
        return done


@dataclass(frozen=True, slots=True)
class ChannelSource:
    """A channel file's bytes under an older tail."""

    channel: ChannelBytes

    @property
    def path(self) -> Path:
        return self.channel.path

    @property
    def size_bytes(self) -> int:
        return self.channel.size_bytes

    def read_into(self, view: memoryview, offset: int, /) -> int:
        data = self.channel.read_at(len(view), offset)
        view[: len(data)] = data
        return len(data)


@contextmanager
def open_source(path: Path) -> Iterator[FileSource]:
    """Open a file that nobody writes to.

    Raises: OSError.
    """
    descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        yield FileSource(path=path, size_bytes=os.fstat(descriptor).st_size, descriptor=descriptor)
    finally:
        os.close(descriptor)


def read_bytes(source: ByteSource, size_bytes: int, offset: int) -> bytes:
    """Return that many bytes from the offset; fewer only where the source ends."""
    buffer = bytearray(max(min(size_bytes, source.size_bytes - offset), 0))
    count = source.read_into(memoryview(buffer), offset)
    return bytes(memoryview(buffer)[:count])
