"""A limit of bytes a second over all downloads of a run."""

import threading
from collections.abc import Callable

from dce_play.system.clock import Clock


class Pace:
    """Lets blocks through at the limit's pace, from any number of threads; without a limit at once."""

    def __init__(self, limit: int | None, *, clock: Clock) -> None:
        self._limit = limit
        self._clock = clock
        self._free_at = 0.0
        self._lock = threading.Lock()

    def wait(self, size: int, beat: Callable[[], None]) -> None:
        """Return when a block of this size may have come; ``beat`` is called meanwhile and may raise."""
        if not self._limit:
            return
        with self._lock:
            begin = max(self._clock.monotonic(), self._free_at)
            self._free_at = begin + size / self._limit
            until = self._free_at
        while (left := until - self._clock.monotonic()) > 0:
            beat()
            self._clock.sleep(min(left, 0.5))
