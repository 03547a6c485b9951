"""A disk on which the program dies at one of its changes."""

from collections.abc import Collection
from pathlib import Path

from dce_play.system.durable.disk import Disk


class Dies(BaseException):
    """The program is gone: nothing that it does afterwards counts."""


class DyingDisk(Disk):
    """Dies before the change number ``at``, counted from 1: a write, a sync, or a name that changes."""

    def __init__(self, at: int, *, but: Collection[str] = ()) -> None:
        """``but`` names changes that do not count."""
        self._left = at
        self._but = but

    def _step(self, change: str) -> None:
        self._left -= change not in self._but
        if self._left == 0 and change not in self._but:
            raise Dies

    def write_at(self, descriptor: int, data: bytes, offset: int) -> None:
        self._step("write_at")
        super().write_at(descriptor, data, offset)

    def truncate(self, descriptor: int, size_bytes: int) -> None:
        self._step("truncate")
        super().truncate(descriptor, size_bytes)

    def sync(self, descriptor: int) -> None:
        self._step("sync")
        super().sync(descriptor)

    def sync_folder(self, folder: Path) -> None:
        self._step("sync_folder")
        super().sync_folder(folder)

    def link(self, source: Path, destination: Path) -> None:
        self._step("link")
        super().link(source, destination)

    def rename(self, source: Path, destination: Path) -> None:
        self._step("rename")
        super().rename(source, destination)

    def unlink(self, path: Path) -> None:
        self._step("unlink")
        super().unlink(path)
