"""Times as DiscordChatExporter writes them with ``--utc``: ``2024-01-01T01:00:00.5+00:00``.

What is read as a time is what .NET reads as one: ISO 8601, extended, years 1 to 9999 in UTC.
"""

import re
from datetime import UTC, datetime

from dce_play.discord.exporters.discord_api.rest.answers import UnexpectedAnswer

_UTC_STAMP = re.compile(
    r"((?!0000)\d{4}-(?:0[1-9]|1[0-2])-(?:0[1-9]|1\d|2[0-8])T(?:[01]\d|2[0-3]):[0-5]\d:[0-5]\d)"
    r"(?:\.(\d{1,7})\d*)?(?:Z|[+-]00:00)",
    re.ASCII,
)
"""The form that Discord writes, on a day that every month has."""
_STAMP = re.compile(r"\d{4}-\d\d-\d\d(?:T\d\d:\d\d(?::\d\d(?:\.\d{1,16})?)?(?:Z|[+-]\d\d(?::?\d\d)?)?)?", re.ASCII)


def normal_stamp(written: str) -> str:
    """Return an ISO 8601 time in UTC, its fraction without trailing zeros and at most 7 digits long.

    Raises: UnexpectedAnswer.
    """
    found = _UTC_STAMP.fullmatch(written)
    return stamp(parse(written)) if found is None else _with_fraction(found[1], found[2] or "")


def stamp_or_none(written: str | None) -> str | None:
    """Return what ``normal_stamp`` would, or ``None`` for what is no time."""
    if written is None:
        return None
    found = _UTC_STAMP.fullmatch(written)
    if found is not None:
        return _with_fraction(found[1], found[2] or "")
    moment = moment_of(written)
    return None if moment is None else stamp(moment)


def stamp(moment: datetime) -> str:
    """Return an aware time in UTC, in the same form."""
    whole = moment.astimezone(UTC)
    return _with_fraction(f"{whole.year:04}-{whole:%m-%dT%H:%M:%S}", f"{whole.microsecond:06}")


def parse(written: str) -> datetime:
    """Return an ISO 8601 time; one without an offset counts as UTC.

    Raises: UnexpectedAnswer.
    """
    moment = moment_of(written)
    if moment is None:
        raise UnexpectedAnswer("a time is not in ISO 8601")
    return moment


def moment_of(written: str) -> datetime | None:
    """Return an ISO 8601 time in UTC, or ``None`` for what is none, or lies outside the years 1 to 9999."""
    if _STAMP.fullmatch(written) is None:
        return None
    try:
        moment = datetime.fromisoformat(written)
        return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).astimezone(UTC)
    except (ValueError, OverflowError):
        return None


def _with_fraction(seconds: str, fraction: str) -> str:
    fraction = fraction.rstrip("0")
    return f"{seconds}.{fraction}+00:00" if fraction else f"{seconds}+00:00"
