"""Message texts for reading: mentions, channels, roles, custom emoji and times written out.

Everything else of Discord's markdown stays as it was typed.
"""

import re
from datetime import UTC, datetime, timedelta

from dce_play.discord.exporters.discord_api.guild_view import GuildView
from dce_play.snowflake import is_number

_MARKS = re.compile(
    r"@everyone|@here"
    r"|<@!?(?P<user>\d+)>"
    r"|<\#!?(?P<channel>\d+)>"
    r"|<@&(?P<role>\d+)>"
    r"|<a?:(?P<emoji>.+?):\d+?>"
    r"|<t:(?P<seconds>-?\d+)(?::(?P<style>\w))?>"
)
_INVALID = "Invalid date"
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_DAYS = ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday")
_MONTHS = (
    *("January", "February", "March", "April", "May", "June"),
    *("July", "August", "September", "October", "November", "December"),
)


def readable(markdown: str, view: GuildView) -> str:
    """Return the text with its marks written out. Members who are mentioned are fetched for their names."""
    if "<" not in markdown:
        return markdown
    return _MARKS.sub(lambda mark: _written_out(mark, view), markdown)


def _written_out(mark: re.Match[str], view: GuildView) -> str:
    match mark.lastgroup:
        case "user":
            user_id = mark["user"]
            member = view.meet_by_id(user_id) if is_number(user_id) else None
            return f"@{member.display_name if member else 'Unknown'}"
        case "channel":
            channel = view.channel(mark["channel"])
            if channel is None:
                return "#deleted-channel"
            return f"#{channel.name} [voice]" if channel.is_voice else f"#{channel.name}"
        case "role":
            role = view.role(mark["role"])
            return f"@{role.name if role else 'deleted-role'}"
        case "emoji":
            return f":{mark['emoji']}:"
        case "seconds" | "style":
            return _time(int(mark["seconds"]), mark["style"])
        case _:
            return mark[0]


def _time(seconds: int, style: str | None) -> str:
    try:
        moment = _EPOCH + timedelta(seconds=seconds)
    except OverflowError:
        return _INVALID
    long_day = f"{_DAYS[moment.weekday()]}, {moment.day:02} {_MONTHS[moment.month - 1]} {moment.year:04}"
    short_day = f"{moment.month:02}/{moment.day:02}/{moment.year:04}"
    minute, second = f"{moment:%H:%M}", f"{moment:%H:%M:%S}"
    if style in {None, "r", "R"}:
        return f"{short_day} {minute}"
    written = {
        "t": minute,
        "T": second,
        "d": short_day,
        "D": long_day,
        "f": f"{long_day} {minute}",
        "F": f"{long_day} {second}",
    }
    return written.get(style or "", _INVALID)
