"""Times as people say them: ``today 03:15``, ``2 h ago``."""

from datetime import datetime, timedelta


def day_and_time(stamp: str, now: datetime, /) -> str:
    """Return a time of an event in the zone of ``now``: ``today 03:15``, ``yesterday 03:15``, ``2026-11-21 03:15``."""
    if not stamp:
        return ""
    at = datetime.fromisoformat(stamp).astimezone(now.tzinfo)
    if at.date() == now.date():
        day = "today"
    elif at.date() == (now - timedelta(days=1)).date():
        day = "yesterday"
    else:
        day = at.date().isoformat()
    return f"{day} {at:%H:%M}"


def age_s(stamp: str, now: datetime, /) -> float:
    """Return how many seconds ago that was, never less than none."""
    return max((now - datetime.fromisoformat(stamp)).total_seconds(), 0.0)


def age(seconds: float, /) -> str:
    """Return ``41 s``, ``12 min``, ``3 h``, ``2 days``."""
    if seconds < 60:
        return f"{int(seconds)} s"
    for unit, size in (("day", 86_400), ("h", 3_600), ("min", 60)):
        count = int(seconds // size)
        if count:
            return f"{count} {unit}{'s' if unit == 'day' and count > 1 else ''}"
    return ""
