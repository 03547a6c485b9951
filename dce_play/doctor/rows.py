"""What the doctor says: rows of a level, a stable code, plain words, and commands that can be pasted."""

from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum


class Level(StrEnum):
    """How bad it is."""

    RED = "red"
    """Data does not arrive, or is in danger: act now."""
    YELLOW = "yellow"
    """It works, and will not for ever."""
    GREEN = "green"


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """One thing that was looked at. Whatever is not green says in ``fix`` what to type."""

    level: Level
    code: str
    what: str
    count: int = 0
    fix: tuple[str, ...] = ()


def green(code: str, what: str, *, count: int = 0) -> Row:
    """Return a row for what was looked at and found well."""
    return Row(level=Level.GREEN, code=code, what=what, count=count)


def yellow(code: str, what: str, *fix: str, count: int = 0) -> Row:
    """Return a row for what should be seen to."""
    return Row(level=Level.YELLOW, code=code, what=what, count=count, fix=commands(fix))


def red(code: str, what: str, *fix: str, count: int = 0) -> Row:
    """Return a row for what must be seen to now."""
    return Row(level=Level.RED, code=code, what=what, count=count, fix=commands(fix))


def commands(hints: Iterable[str]) -> tuple[str, ...]:
    """Return hints as what can be pasted: without the word that invites to type them."""
    return tuple(hint.removeprefix("try: ") for hint in hints)


def all_green(rows: Iterable[Row]) -> bool:
    """Return whether nothing needs anybody."""
    return all(row.level is Level.GREEN for row in rows)
