"""The bytes of a channel file as one reader sees them: the file, or its start and an older tail laid over its end."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from dce_play.system.durable.disk import REAL, Disk, FileFacts

BLOCK_BYTES = 1 << 20


class ChannelBytes:
    """A channel file's bytes at a moment. With a tail, the bytes from the cut on are the tail's, not the file's.

    It is what every reader of channel files reads from, whatever opened the file. Whoever opened the descriptor
    closes it.
    """

    def __init__(self, path: Path, descriptor: int, size_bytes: int, *, tail: bytes = b"", disk: Disk = REAL) -> None:
        self.path = path
        self.size_bytes = size_bytes
        self.descriptor = descriptor
        self._tail = tail
        self._cut = size_bytes - len(tail)
        self._disk = disk

    def facts(self) -> FileFacts:
        """Return what the kernel knows of the file now."""
        return self._disk.facts(self.descriptor)

    def read_at(self, size_bytes: int, offset: int) -> bytes:
        """Return that many bytes from the offset; fewer only where the bytes end."""
        end = min(offset + size_bytes, self.size_bytes)
        below = self._disk.read_at(self.descriptor, min(end, self._cut) - offset, offset)
        if end <= self._cut:
            return below
        return below + self._tail[max(offset - self._cut, 0) : end - self._cut]

    def read_into(self, view: memoryview, offset: int, /) -> int:
        """Fill the view from the offset on and return how many bytes there were."""
        if offset + len(view) > self._cut and self._tail:
            data = self.read_at(len(view), offset)
            view[: len(data)] = data
            return len(data)
        wanted = max(min(len(view), self.size_bytes - offset), 0)
        return self._disk.read_into(self.descriptor, view[:wanted], offset)

    def blocks(self, start: int, end: int) -> Iterator[bytes]:
        """Yield the bytes between two offsets in blocks of at most 1 MiB."""
        while start < end:
            block = self.read_at(min(BLOCK_BYTES, end - start), start)
            if not block:
                return
            yield block
            start += len(block)


@contextmanager
def open_bytes(path: Path, *, disk: Disk = REAL) -> Iterator[ChannelBytes]:
    """Open a file for reading as it is now; what is written to it later is not seen.

    Raises: OSError.
    """
    descriptor = disk.open(path, os.O_RDONLY)
    try:
        yield ChannelBytes(path, descriptor, disk.facts(descriptor).size_bytes, disk=disk)
    finally:
        disk.close(descriptor)
