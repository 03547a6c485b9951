"""Reading Discord's answers: the border where JSON becomes values with types.

Values are read as DiscordChatExporter reads them: what it takes for null when it is of another type is null here, and
what stops it is an error, which names the place inside the answer. Numbers have its widths.
"""

from collections.abc import Callable, Mapping
from typing import Any, TypeVar

from dce_play.discord.exporters.protocol import ExportFailed
from dce_play.snowflake import is_number

_Read = TypeVar("_Read")
_INT32 = range(-(1 << 31), 1 << 31)
_INT64 = range(-(1 << 63), 1 << 63)


class UnexpectedAnswer(ExportFailed):
    """Discord answered with something of another shape than its documentation promises."""

    def __init__(self, what: str) -> None:
        super().__init__(
            f"unexpected answer from discord: {what}",
            hint="is the API base right? a proxy or a captive portal may be answering in its place",
        )
        self.what = what

    def inside(self, place: str) -> "UnexpectedAnswer":
        """Return the same complaint about a value that lies in a larger one."""
        joint = "" if self.what.startswith("[") else "."
        return UnexpectedAnswer(f"{place}{joint}{self.what}")


def as_object(value: object, what: str) -> Mapping[str, Any]:
    """Return the value as a JSON object."""
    if not isinstance(value, dict):
        raise UnexpectedAnswer(f"{what} is not an object")
    return value


def as_objects(value: object, what: str) -> list[Mapping[str, Any]]:
    """Return the value as an array of JSON objects."""
    if not isinstance(value, list):
        raise UnexpectedAnswer(f"{what} is not an array")
    return [as_object(item, what) for item in value]


def identifier(source: Mapping[str, Any], key: str = "id") -> str:
    """Return an id that must be there."""
    found = optional_identifier(source, key)
    if found is None:
        raise UnexpectedAnswer(f"{key} is missing")
    return found


def optional_identifier(source: Mapping[str, Any], key: str) -> str | None:
    """Return an id, or ``None`` where it is blank, of another type or not there."""
    value = source.get(key)
    if not (isinstance(value, str) and value.strip()) and type(value) is not int:
        return None
    found = str(value)
    if not is_number(found):
        raise UnexpectedAnswer(f"{key} is not an id")
    return found


def text(source: Mapping[str, Any], key: str) -> str:
    """Return a text that must be there."""
    value = source.get(key)
    if not isinstance(value, str):
        raise UnexpectedAnswer(f"{key} is not a text")
    return value


def optional_text(source: Mapping[str, Any], key: str) -> str | None:
    """Return a text, or ``None`` where it is null, of another type or not there."""
    value = source.get(key)
    return value if isinstance(value, str) else None


def filled_text(source: Mapping[str, Any], key: str) -> str | None:
    """Return a text that is more than white space, else ``None``."""
    value = source.get(key)
    return value if isinstance(value, str) and value.strip() else None


def integer(source: Mapping[str, Any], key: str, *, wide: bool = False) -> int:
    """Return a whole number that must be there, of 32 bits or, when ``wide``, of 64."""
    value = source.get(key)
    if type(value) is not int or value not in (_INT64 if wide else _INT32):
        raise UnexpectedAnswer(f"{key} is not a whole number")
    return value


def optional_integer(source: Mapping[str, Any], key: str) -> int | None:
    """Return a whole number of 32 bits, or ``None`` where it is null, anything else or not there."""
    value = source.get(key)
    return value if type(value) is int and value in _INT32 else None


def flag(source: Mapping[str, Any], key: str) -> bool:
    """Return whether the key is there and true."""
    return source.get(key) is True


def optional_object(source: Mapping[str, Any], key: str) -> Mapping[str, Any] | None:
    """Return an object, or ``None`` where it is null or not there. Of another type it is one without any field."""
    value = source.get(key)
    return value if value is None or isinstance(value, dict) else {}


def objects(source: Mapping[str, Any], key: str) -> list[Mapping[str, Any]]:
    """Return an array of objects; empty where it is no array. An item of another type has no field."""
    value = source.get(key)
    return [item if isinstance(item, dict) else {} for item in value] if isinstance(value, list) else []


def each(source: Mapping[str, Any], key: str, read: Callable[[Mapping[str, Any]], _Read]) -> list[_Read]:
    """Return what ``read`` makes of each object in an array; a complaint says which one it is about."""
    found: list[_Read] = []
    for index, item in enumerate(objects(source, key)):
        try:
            found.append(read(item))
        except UnexpectedAnswer as error:
            raise error.inside(f"{key}[{index}]") from error
    return found


def within(source: Mapping[str, Any], key: str, read: Callable[[Mapping[str, Any]], _Read]) -> _Read:
    """Return what ``read`` makes of an object that must be there."""
    try:
        return read(as_object(source.get(key), "it"))
    except UnexpectedAnswer as error:
        if error.what == "it is not an object":
            raise UnexpectedAnswer(f"{key} is not an object") from error
        raise error.inside(key) from error
