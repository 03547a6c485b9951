"""Stand-ins that are handed in: nothing is patched."""

import threading
from datetime import UTC, datetime, timedelta


class FakeClock:
    """A clock that stands still until someone sleeps. Safe to use from several threads."""

    def __init__(self, start: datetime = datetime(2026, 11, 21, 1, 15, 7, tzinfo=UTC)) -> None:
        self._start = start
        self._elapsed_s = 0.0
        self._lock = threading.Lock()
        self.sleeps: list[float] = []

    def now(self) -> datetime:
        return self._start + timedelta(seconds=self._elapsed_s)

    def monotonic(self) -> float:
        return self._elapsed_s

    def sleep(self, seconds: float) -> None:
        with self._lock:
            self.sleeps.append(seconds)
            self._elapsed_s += seconds

    def advance(self, seconds: float) -> None:
        """Let time pass without anyone having slept."""
        with self._lock:
            self._elapsed_s += seconds
