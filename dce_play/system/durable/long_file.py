"""A long file on its way to the disk: whole pages of memory go around the page cache, all else is synced ahead."""

import errno
import mmap

from dce_play.system.durable.disk import Disk
from dce_play.system.durable.sync_ahead import SyncAhead

_AROUND_FROM_BYTES = 256 << 10
"""Around the cache each write waits for the disk, which is worth it from so many bytes on."""


class LongFile:
    """The end of a file that is only written, in order. It promises nothing: ``settle``, then sync."""

    def __init__(self, disk: Disk, descriptor: int, *, at: int = 0) -> None:
        self.at = at
        """How long the file is now."""
        self._disk = disk
        self._descriptor = descriptor
        self._ahead = SyncAhead(disk, descriptor)
        self._cached_bytes = 0
        self._may_go_around = True
        self._goes_around = False

    def write(self, data: bytes | memoryview) -> None:
        """Write at the end.

        Raises: OSError. How much was written is not known then, and ``at`` is where it was.
        """
        if not (isinstance(data, memoryview) and _is_pages(data, self.at) and self._write_around(data)):
            self._go(around=False)
            self._disk.write_view(self._descriptor, memoryview(data), self.at)
            self._cached_bytes += len(data)
            self._ahead.wrote_to(self._cached_bytes)
        self.at += len(data)

    def settle(self) -> None:
        """Wait for what goes on beside. Call it before the file's own sync, and before its descriptor is closed.

        Raises: OSError, when any sync failed: see ``SyncAhead``.
        """
        self._ahead.settle()

    def _write_around(self, view: memoryview) -> bool:
        """Write around the cache; return whether that could be done."""
        if not self._may_go_around:
            return False
        self._may_go_around = self._go(around=True)
        if self._may_go_around:
            try:
                self._disk.write_view(self._descriptor, view, self.at)
            except OSError as error:
                if error.errno != errno.EINVAL:
                    raise
                self._may_go_around = False  # the file system wants other sizes or places
        return self._may_go_around

    def _go(self, *, around: bool) -> bool:
        if around is not self._goes_around:
            self._goes_around = self._disk.bypass_cache(self._descriptor, bypass=around)
        return self._goes_around


def _is_pages(view: memoryview, at: int) -> bool:
    """Return whether a view may go around the cache: it must be whole pages here and there."""
    whole = at % mmap.PAGESIZE == 0 and len(view) % mmap.PAGESIZE == 0
    return whole and len(view) >= _AROUND_FROM_BYTES and isinstance(view.obj, mmap.mmap)
