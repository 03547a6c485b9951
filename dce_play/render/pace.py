"""When progress is told where lines cannot be overwritten: once in half a minute, or as often as was asked for."""

from collections.abc import Mapping
from datetime import datetime

PROGRESS_EVERY_S = 30.0


def progress_every_s(environment: Mapping[str, str], /) -> float:
    """Return how many seconds lie between two lines of progress; what is no such number counts for nothing."""
    try:
        found = float(environment.get("DCE_PLAY_PROGRESS_EVERY_S", ""))
    except ValueError:
        return PROGRESS_EVERY_S
    return found if 0 < found < float("inf") else PROGRESS_EVERY_S


class Pace:
    """Remembers when each step was told of last."""

    def __init__(self, every_s: float = PROGRESS_EVERY_S) -> None:
        self._every_s = every_s
        self._told: dict[str, float] = {}

    def due(self, step_id: str, ts: str, /) -> bool:
        """Return whether the step's progress is to be told at this time, ISO 8601; the first time only begins it."""
        now = datetime.fromisoformat(ts).timestamp()
        last = self._told.setdefault(step_id, now)
        if now - last < self._every_s:
            return False
        self._told[step_id] = now
        return True
