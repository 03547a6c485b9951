"""The five fields of a cron schedule, with their ranges."""

import re
from typing import ClassVar

from dce_play.errors import DcePlayError, ExitCode

_FIELDS = (("minute", 0, 59), ("hour", 0, 23), ("day of month", 1, 31), ("month", 1, 12), ("day of week", 0, 7))
_MONTHS = ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec")
_DAYS = ("sun", "mon", "tue", "wed", "thu", "fri", "sat")
_PART = re.compile(r"(?:\*|([0-9]+|[a-z]{3})(?:-([0-9]+|[a-z]{3}))?)(?:/([0-9]+))?")
_AT = re.compile(r"([01][0-9]|2[0-3]):([0-5][0-9])")


class InvalidSchedule(DcePlayError):
    """A schedule that cron would refuse, or run at another time than meant."""

    exit_code: ClassVar[ExitCode] = ExitCode.USAGE


def interval_schedule(interval: str, at: str) -> str:
    """Return the five fields for ``monthly``, ``weekly`` or ``daily`` at ``HH:MM``.

    Raises: InvalidSchedule.
    """
    match = _AT.fullmatch(at)
    if match is None:
        raise InvalidSchedule(f"--at must use HH:MM in 24-hour time, not {at!r}", hint="--at 04:00")
    hour, minute = match.groups()
    match interval:
        case "monthly":
            return f"{minute} {hour} 1 * *"
        case "weekly":
            return f"{minute} {hour} * * 0"
        case "daily":
            return f"{minute} {hour} * * *"
        case _:
            raise InvalidSchedule(f"unsupported --interval {interval!r}", hint="use monthly, weekly or daily")


def check_schedule(text: str) -> str:
    """Return the five fields with single blanks between them. Lists, ranges, steps and names are checked.

    Raises: InvalidSchedule.
    """
    fields = text.split()
    if text.strip().startswith("@"):
        raise InvalidSchedule(f"{text.strip()!r} is not supported", hint='write five fields: --cron "0 4 * * *"')
    if len(fields) != 5 or "\n" in text:
        raise InvalidSchedule("--cron must contain exactly five fields", hint='--cron "0 4 1 * *"')
    for field, (name, low, high) in zip(fields, _FIELDS, strict=True):
        for part in field.split(","):
            _check_part(part, name, low, high)
    return " ".join(fields)


def _check_part(part: str, name: str, low: int, high: int) -> None:
    match = _PART.fullmatch(part.lower())
    if match is None:
        raise InvalidSchedule(f"invalid cron field {part!r} for the {name}", hint="numbers, names, * - , / only")
    first = _value(match[1], name, low, high)
    last = _value(match[2], name, low, high)
    if first is not None and last is not None and first > last:
        raise InvalidSchedule(f"invalid cron field {part!r} for the {name}: the range runs backwards")
    if match[3] is not None and int(match[3]) == 0:
        raise InvalidSchedule(f"invalid cron field {part!r} for the {name}: a step of 0")


def _value(text: str | None, name: str, low: int, high: int) -> int | None:
    if text is None:
        return None
    if text.isdecimal():
        number = int(text)
    else:
        names = _MONTHS if name == "month" else _DAYS if name == "day of week" else ()
        if text not in names:
            raise InvalidSchedule(f"invalid name {text!r} for the {name}", hint=f"use {low} to {high}")
        number = names.index(text) + low
    if not low <= number <= high:
        raise InvalidSchedule(f"{text} is out of range for the {name}", hint=f"use {low} to {high}")
    return number
