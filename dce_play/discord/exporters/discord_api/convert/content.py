"""Message texts for reading: mentions, channels, roles, custom emoji and times written out.

Everything else of Discord's markdown stays as it was typed.
"""

import re
from datetime import UTC, datetime, timedelta

from dce_play.discord.exporters.discord_api.convert.guild_view import GuildView
from dce_play.discord.exporters.discord_api.convert.markdown_rules import Text
from dce_play.snowflake import is_number

_MARKS = re.compile(
    r"@everyone|@here"
    r"|<@!?(?P<user>\d+)>"
    r"|<\#!?(?P<channel>\d+)>"
    r"|<@&(?P<role>\d+)>"
    r"|<t:(?P<seconds>-?\d+)(?::(?P<style>\w))?>"
    r"|<a?:"
)
_INVALID = "Invalid date"
_LONGEST_TIME = 20
"""In digits, with a sign: 64 bits."""
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
    text = Text(markdown, begins_line=True)
    parts: list[str] = []
    done = 0
    for mark in _MARKS.finditer(markdown):
        if mark.start() < done:
            continue
        written, end = _custom_emoji(text, mark) if mark[0].endswith(":") else (_written_out(mark, view), mark.end())
        parts += (markdown[done : mark.start()], written)
        done = end
    return "".join((*parts, markdown[done:]))


def _custom_emoji(text: Text, mark: re.Match[str]) -> tuple[str, int]:
    """Return ``:name:`` for a custom emoji and where it ends; the mark itself where it begins none."""
    found = text.custom_end(mark.end())
    return (mark[0], mark.end()) if found is None else (f":{text.text[mark.end() : found[0]]}:", found[2])


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
        case "seconds" | "style":
            return _time(mark["seconds"], mark["style"])
        case _:
            return mark[0]


def _time(written: str, style: str | None) -> str:
    if not written.isascii() or len(written) > _LONGEST_TIME:
        return _INVALID
    try:
        moment = _EPOCH + timedelta(seconds=int(written))
    except OverflowError:
        return _INVALID
    long_day = f"{_DAYS[moment.weekday()]}, {moment.day:02} {_MONTHS[moment.month - 1]} {moment.year:04}"
    short_day = f"{moment.month:02}/{moment.day:02}/{moment.year:04}"
    minute, second = f"{moment:%H:%M}", f"{moment:%H:%M:%S}"
    if style in {None, "r", "R"}:
        return f"{short_day} {minute}"
    forms = {
        "t": minute,
        "T": second,
        "d": short_day,
        "D": long_day,
        "f": f"{long_day} {minute}",
        "F": f"{long_day} {second}",
    }
    return forms.get(style or "", _INVALID)
