"""Time, as something that can be handed in."""

import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Protocol


class Clock(Protocol):
    """The time of day, a stopwatch, and waiting."""

    def now(self) -> datetime:
        """Return the time of day, aware, in UTC."""

    def monotonic(self) -> float:
        """Return seconds that never run backwards."""

    def sleep(self, seconds: float) -> None:
        """Wait."""


class SystemClock:
    """The machine's own clock."""

    def now(self) -> datetime:
        return datetime.now(UTC)

    def monotonic(self) -> float:
        return time.monotonic()

    def sleep(self, seconds: float) -> None:
        time.sleep(seconds)


def utc_stamp(moment: datetime) -> str:
    """Return ``2026-11-21T01:15:07Z``: whole seconds, UTC."""
    return moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def file_stamp(moment: datetime) -> str:
    """Return ``20261121T011507Z``, for file names."""
    return moment.astimezone(UTC).strftime("%Y%m%dT%H%M%SZ")


def free_stamp(stamp: str, is_taken: Callable[[str], bool]) -> str:
    """Return a file stamp, or the first one after it that is not taken: what is done twice in a second keeps apart."""
    moment = datetime.strptime(stamp, "%Y%m%dT%H%M%SZ").replace(tzinfo=UTC)
    while is_taken(file_stamp(moment)):
        moment += timedelta(seconds=1)
    return file_stamp(moment)
