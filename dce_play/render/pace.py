"""When progress is told where lines cannot be overwritten: once in half a minute."""

from datetime import datetime

PROGRESS_EVERY_S = 30.0


class Pace:
    """Remembers when each step was told of last."""

    def __init__(self) -> None:
        self._told: dict[str, float] = {}

    def due(self, step_id: str, ts: str, /) -> bool:
        """Return whether the step's progress is to be told at this time, ISO 8601; the first time only begins it."""
        now = datetime.fromisoformat(ts).timestamp()
        last = self._told.setdefault(step_id, now)
        if now - last < PROGRESS_EVERY_S:
            return False
        self._told[step_id] = now
        return True
