"""Discord ids: strings in every file, compared as numbers, and also a time."""

import re
from datetime import UTC, datetime, timedelta
from typing import NewType

ChannelId = NewType("ChannelId", str)
GuildId = NewType("GuildId", str)
MessageId = NewType("MessageId", str)

CLOCKS_DIFFER = timedelta(days=1)
"""How far an id's time may lie ahead of this machine's clock. Beyond that it is no message's, and no cursor."""
DISCORD_EPOCH_MS = 1_420_070_400_000
_DIGITS = re.compile(r"[0-9]{1,20}", re.ASCII)
_FULL_ID = re.compile(r"[0-9]{16,22}", re.ASCII)
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def is_number(text: str) -> bool:
    """Return whether the text is an unsigned 64-bit number in plain ASCII digits."""
    return _DIGITS.fullmatch(text) is not None and int(text) < 1 << 64


def is_full_id(text: str) -> bool:
    """Return whether the text has the 16 to 22 digits that ids in file names and targets files have."""
    return _FULL_ID.fullmatch(text) is not None


def snowflake_time(identifier: str) -> datetime:
    """Return the UTC time at which the id was made, to the millisecond."""
    return _EPOCH + timedelta(milliseconds=(int(identifier) >> 22) + DISCORD_EPOCH_MS)


def last_honest_id(now: datetime) -> int:
    """Return the greatest id that can be there now, when clocks differ by a day at most."""
    return int(first_snowflake_at(now + CLOCKS_DIFFER)) - 1


def first_snowflake_at(moment: datetime) -> str:
    """Return the smallest id that could have been made at this aware time."""
    milliseconds = (moment - _EPOCH) // timedelta(milliseconds=1) - DISCORD_EPOCH_MS
    return str(max(milliseconds, 0) << 22)
