"""Times as DiscordChatExporter writes them with ``--utc``: ``2024-01-01T01:00:00.5+00:00``."""

import re
from datetime import UTC, datetime

from dce_play.discord.exporters.discord_api.answers import UnexpectedAnswer

_UTC_STAMP = re.compile(
    r"(\d{4}-(?:0[1-9]|1[0-2])-(?:0[1-9]|[12]\d|3[01])T(?:[01]\d|2[0-3]):[0-5]\d:[0-5]\d)"
    r"(?:\.(\d{1,7})\d*)?(?:Z|[+-]00:00)",
    re.ASCII,
)


def normal_stamp(written: str) -> str:
    """Return an ISO 8601 time in UTC, its fraction without trailing zeros and at most 7 digits long.

    Raises: UnexpectedAnswer.
    """
    found = _UTC_STAMP.fullmatch(written)
    if found is None:
        return stamp(parse(written))
    return _with_fraction(found[1], found[2] or "")


def stamp(moment: datetime) -> str:
    """Return an aware time in UTC, in the same form."""
    whole = moment.astimezone(UTC)
    return _with_fraction(f"{whole.year:04}-{whole:%m-%dT%H:%M:%S}", f"{whole.microsecond:06}")


def parse(written: str) -> datetime:
    """Return an ISO 8601 time; one without an offset counts as UTC.

    Raises: UnexpectedAnswer.
    """
    try:
        moment = datetime.fromisoformat(written)
        return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).astimezone(UTC)
    except (ValueError, OverflowError) as error:
        raise UnexpectedAnswer("a time is not in ISO 8601") from error


def _with_fraction(seconds: str, fraction: str) -> str:
    fraction = fraction.rstrip("0")
    return f"{seconds}.{fraction}+00:00" if fraction else f"{seconds}+00:00"
