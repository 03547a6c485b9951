"""Reading Discord's answers: the border where JSON becomes values with types."""

from collections.abc import Mapping
from typing import Any

from dce_play.discord.exporters.protocol import ExportFailed
from dce_play.snowflake import is_number


class UnexpectedAnswer(ExportFailed):
    """Discord answered with something of another shape than its documentation promises."""

    def __init__(self, what: str) -> None:
        super().__init__(
            f"unexpected answer from discord: {what}",
            hint="is the API base right? a proxy or a captive portal may be answering in its place",
        )


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
    """Return an id, or ``None`` where it is null, blank or not there."""
    value = source.get(key)
    if value is None or value == "":
        return None
    found = str(value)
    if isinstance(value, bool | float) or not is_number(found):
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


def integer(source: Mapping[str, Any], key: str) -> int:
    """Return a whole number that must be there."""
    value = source.get(key)
    if not isinstance(value, int) or isinstance(value, bool):
        raise UnexpectedAnswer(f"{key} is not a whole number")
    return value


def optional_integer(source: Mapping[str, Any], key: str) -> int | None:
    """Return a whole number, or ``None`` where it is null, of another type or not there."""
    value = source.get(key)
    return value if isinstance(value, int) and not isinstance(value, bool) else None


def flag(source: Mapping[str, Any], key: str) -> bool:
    """Return whether the key is there and true."""
    return source.get(key) is True


def optional_object(source: Mapping[str, Any], key: str) -> Mapping[str, Any] | None:
    """Return an object, or ``None`` where it is null, of another type or not there."""
    value = source.get(key)
    return value if isinstance(value, dict) else None


def objects(source: Mapping[str, Any], key: str) -> list[Mapping[str, Any]]:
    """Return an array of objects; empty where it is null or not there."""
    value = source.get(key)
    return [] if value is None else as_objects(value, key)
