"""Making a growing file durable while it grows, so that the sync at its end finds little left to do."""

import threading

from dce_play.system.durable.disk import Disk

_EVERY_BYTES = 8 << 20


class SyncAhead:
    """Syncs one file's data in a thread, every 8 MiB. It promises nothing: ``settle``, then sync."""

    def __init__(self, disk: Disk, descriptor: int) -> None:
        self._disk = disk
        self._descriptor = descriptor
        self._begun_at = 0
        self._thread: threading.Thread | None = None
        self._error: OSError | None = None

    def wrote_to(self, at: int) -> None:
        """Take note of how many bytes were written in all."""
        if at - self._begun_at < _EVERY_BYTES or (self._thread is not None and self._thread.is_alive()):
            return
        self._begun_at = at
        self._thread = threading.Thread(target=self._sync, name="sync", daemon=True)
        self._thread.start()

    def settle(self) -> None:
        """Wait for the sync that runs. Call it before the file's own sync, and before its descriptor is closed.

        Raises: OSError, when any sync failed: the kernel tells that once, and the next one would succeed.
        """
        if self._thread is not None:
            self._thread.join()
            self._thread = None
        if self._error is not None:
            raise self._error

    def _sync(self) -> None:
        try:
            self._disk.sync_data(self._descriptor)
        except OSError as error:
            self._error = self._error or error
