"""Files of JSON lines that only grow: lines that are durable when the call returns, and reading that knows torn ends.

``add_lines`` is for files that several processes add to now and then; ``LineFile`` for one that a single process
keeps open. A last line without its line break was never acknowledged: readers pass over it.
"""

import errno
import json
import os
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

from dce_play.system.durable.disk import REAL, Disk

_LOOK_BACK_BYTES = 64 << 10


def add_lines(path: Path, lines: Iterable[bytes], *, unless: bytes = b"", mode: int = 0o666, disk: Disk = REAL) -> None:
    """Make lines durable at the end of a file, which is made where there is none; each comes without a line break.

    A torn last line is left alone and closed with a line break, as nobody was told that it was written. The file is
    opened for appending: two processes do not write over each other's lines. Nothing is written where ``unless``
    stands in the last 64 KiB of whole lines already; what stands there becomes durable then, too.

    Raises: OSError, also when what was written cannot be read back.
    """
    disk.make_folder(path.parent)
    descriptor = disk.open(path, os.O_RDWR | os.O_APPEND | os.O_CREAT, mode)
    try:
        size_bytes = disk.facts(descriptor).size_bytes
        data = b"".join(line + b"\n" for line in lines)
        look_bytes = min(_LOOK_BACK_BYTES if unless else 1, size_bytes)
        end = disk.read_at(descriptor, look_bytes, size_bytes - look_bytes)
        if unless and unless in end[: end.rfind(b"\n") + 1]:
            data = b""
        if data and end[-1:] not in {b"", b"\n"}:
            data = b"\n" + data
        if data:
            disk.write_at(descriptor, data, size_bytes)
        disk.sync(descriptor)
        if data not in disk.read_at(descriptor, disk.facts(descriptor).size_bytes - size_bytes, size_bytes):
            raise OSError(errno.EIO, "what was written is not what can be read back", path)
    finally:
        disk.close(descriptor)
    disk.sync_folder(path.parent)


def read_lines(path: Path) -> Iterator[dict[str, Any]]:
    """Yield the JSON objects of a file of lines; none where there is no file; what is not JSON is passed over."""
    try:
        with path.open("rb") as lines:
            for line in lines:
                try:
                    value = json.loads(line)
                except ValueError:
                    continue
                if isinstance(value, dict):
                    yield value
    except FileNotFoundError:
        return


class LineFile:
    """A file of lines that this process alone adds to; it owns the descriptor, which has been locked before."""

    def __init__(self, descriptor: int, *, disk: Disk = REAL) -> None:
        """Take the descriptor, open for reading and writing, and cut off the torn line that a crash may have left."""
        self._descriptor = descriptor
        self._disk = disk
        self._end = self._whole_bytes()
        if disk.facts(descriptor).size_bytes != self._end:
            disk.truncate(descriptor, self._end)

    def add(self, line: bytes, *, durable: bool) -> None:
        """Add one line, without its line break; it is on the disk when the call returns if it is to be durable.

        Raises: OSError; the next line overwrites what was half written.
        """
        self._disk.write_at(self._descriptor, line + b"\n", self._end)
        self._end += len(line) + 1
        if durable:
            self._disk.sync_data(self._descriptor)

    def close(self) -> None:
        """Let go of the file and of the lock on it."""
        self._disk.close(self._descriptor)

    def _whole_bytes(self) -> int:
        """Return where the last whole line ends."""
        end = self._disk.facts(self._descriptor).size_bytes
        while end > 0:
            start = max(end - _LOOK_BACK_BYTES, 0)
            found = self._disk.read_at(self._descriptor, end - start, start).rfind(b"\n")
            if found >= 0:
                return start + found + 1
            end = start
        return 0
