"""The kinds of values that our TOML files have: what each takes, what it becomes, and how a JSON Schema says so."""

import re
from collections.abc import Callable
from enum import StrEnum
from pathlib import Path
from typing import Any

import msgspec

from dce_play.system.quantities import SIZE_PATTERN, parse_size
from dce_play.system.secret_reference import REFERENCE_PATTERN, is_reference


class BadValue(ValueError):
    """A value that its key does not take. Its text goes on after ``<key>: ``."""


class Kind(StrEnum):
    """What a key's value is."""

    TEXT = "text"
    PATH = "path"
    WHOLE = "whole number"
    NUMBER = "number"
    SWITCH = "switch"
    SIZE = "size"
    """Bytes, or a text such as ``"64MiB"``."""
    LIMIT = "limit"
    """A size or another text, which the key's ``convert`` reads."""
    SECRET = "secret"  # noqa: S105 - a kind of value, not one
    SECRETS = "secrets"
    """A list of them."""
    CHOICE = "choice"
    LINES = "lines"
    """A list of texts, or one text of several lines."""


class Key(msgspec.Struct, frozen=True, kw_only=True):
    """One key of a file: ``name`` is dotted, ``receiver.url``; ``default`` is as the file would write it."""

    name: str
    kind: Kind
    help: str
    default: Any = None
    required: bool = False
    choices: tuple[str, ...] = ()
    """For a choice: all of them. For any other kind: words that are taken besides, as they are."""
    minimum: float | None = None
    maximum: float | None = None
    alias: str = ""
    """Another name that the key goes by."""
    convert: Callable[[Any], Any] | None = None
    """What makes the value of what the kind has made, and raises ``ValueError`` with the reason why it cannot."""
    pattern: str = ""
    """For the JSON Schema: what a text that ``convert`` takes looks like."""

    @property
    def pointer(self) -> tuple[str, ...]:
        return tuple(self.name.split("."))


def value_of(key: Key, raw: Any, *, folder: Path) -> Any:
    """Return what the program works with. Relative paths start at the folder; a text ``""`` stays one.

    Raises: ValueError, with the reason; it never holds what stands behind a secret's key.
    """
    if isinstance(raw, str) and raw in key.choices:
        return raw if key.convert is None else key.convert(raw)
    value = _TAKERS[key.kind](key, raw, folder)
    if isinstance(value, int | float) and not isinstance(value, bool):
        _check_bounds(key, value)
    return value if key.convert is None else key.convert(value)


def schema_of(key: Key) -> dict[str, Any]:
    """Return the JSON Schema of a key's value."""
    schema = dict(_SCHEMAS[key.kind])
    if key.kind is Kind.CHOICE:
        schema = {"enum": list(key.choices)}
    elif key.choices and "pattern" in schema:
        alternatives = "|".join(re.escape(word) for word in key.choices)
        schema["pattern"] = f"({schema['pattern']})|^({alternatives})$"
    if key.pattern:
        schema["pattern"] = key.pattern
    for name, bound in (("minimum", key.minimum), ("maximum", key.maximum)):
        if bound is not None:
            schema[name] = int(bound) if bound == int(bound) else bound
    schema["description"] = key.help
    if key.default is not None:
        schema["default"] = key.default
    return schema


def _check_bounds(key: Key, value: float) -> None:
    if key.minimum is not None and value < key.minimum:
        raise BadValue(f"at least {key.minimum:g}, not {value:g}")
    if key.maximum is not None and value > key.maximum:
        raise BadValue(f"at most {key.maximum:g}, not {value:g}")


def _text(_key: Key, raw: Any, _folder: Path) -> str:
    if not isinstance(raw, str):
        raise BadValue(f"a text in quotes, not {_shown(raw)}")
    if any(ord(character) < 32 for character in raw):
        raise BadValue("a text of one line, without control characters")
    return raw


def _path(key: Key, raw: Any, folder: Path) -> Path | str:
    text = _text(key, raw, folder)
    return folder / Path(text).expanduser() if text else ""


def _whole(_key: Key, raw: Any, _folder: Path) -> int:
    if isinstance(raw, bool) or not isinstance(raw, int):
        raise BadValue(f"a whole number, not {_shown(raw)}")
    return raw


def _number(_key: Key, raw: Any, _folder: Path) -> float:
    if isinstance(raw, bool) or not isinstance(raw, int | float) or raw != raw or abs(raw) == float("inf"):  # noqa: PLR0124
        raise BadValue(f"a number, not {_shown(raw)}")
    return float(raw)


def _switch(_key: Key, raw: Any, _folder: Path) -> bool:
    if not isinstance(raw, bool):
        raise BadValue(f"true or false, not {_shown(raw)}")
    return raw


def _size(_key: Key, raw: Any, _folder: Path) -> int:
    if isinstance(raw, str):
        return parse_size(_text(_key, raw, _folder))
    if isinstance(raw, bool) or not isinstance(raw, int) or raw < 0:
        raise BadValue(f'bytes, or a size such as "64MiB", not {_shown(raw)}')
    return raw


def _limit(key: Key, raw: Any, folder: Path) -> str:
    return str(_size(key, raw, folder)) if isinstance(raw, int) else _text(key, raw, folder)


def _secret(key: Key, raw: Any, _folder: Path) -> str:
    if raw == "" and not key.required:
        return ""
    if not isinstance(raw, str) or not is_reference(raw):
        raise BadValue("a secret never stands in a file: write env:NAME, file:PATH or keyring:NAME")
    return raw


def _secrets(key: Key, raw: Any, folder: Path) -> tuple[str, ...]:
    if not isinstance(raw, list):
        raise BadValue("a list of references: write them in []")  # what it is may be a secret
    return tuple(_secret(key, each, folder) for each in raw)


def _choice(key: Key, raw: Any, _folder: Path) -> str:
    raise BadValue(f"one of {', '.join(key.choices)}, not {_shown(raw)}")


def _lines(_key: Key, raw: Any, _folder: Path) -> tuple[str, ...]:
    if isinstance(raw, str):
        return tuple(line for line in raw.splitlines() if line.strip())
    if not isinstance(raw, list) or not all(isinstance(line, str) for line in raw):
        raise BadValue(f"a list of texts, not {_shown(raw)}")
    return tuple(raw)


_KIND_WORDS = {
    dict: "a table",
    list: "a list",
    str: "a text",
    bool: "true or false",
    int: "a number",
    float: "a number",
}


def _shown(raw: Any) -> str:
    if isinstance(raw, str | int | float) and len(str(raw)) <= 40:
        return f'"{raw}"' if isinstance(raw, str) else str(raw).lower()
    return _KIND_WORDS.get(type(raw), "a date")


_TAKERS: dict[Kind, Callable[[Key, Any, Path], Any]] = {
    Kind.TEXT: _text,
    Kind.PATH: _path,
    Kind.WHOLE: _whole,
    Kind.NUMBER: _number,
    Kind.SWITCH: _switch,
    Kind.SIZE: _size,
    Kind.LIMIT: _limit,
    Kind.SECRET: _secret,
    Kind.SECRETS: _secrets,
    Kind.CHOICE: _choice,
    Kind.LINES: _lines,
}
_SCHEMAS: dict[Kind, dict[str, Any]] = {
    Kind.TEXT: {"type": "string"},
    Kind.PATH: {"type": "string"},
    Kind.WHOLE: {"type": "integer"},
    Kind.NUMBER: {"type": "number"},
    Kind.SWITCH: {"type": "boolean"},
    Kind.SIZE: {"type": ["integer", "string"], "pattern": SIZE_PATTERN, "minimum": 0},
    Kind.LIMIT: {"type": ["integer", "string"], "minimum": 0},
    Kind.SECRET: {"type": "string", "pattern": REFERENCE_PATTERN},
    Kind.SECRETS: {"type": "array", "items": {"type": "string", "pattern": REFERENCE_PATTERN}},
    Kind.CHOICE: {},
    Kind.LINES: {"type": ["array", "string"], "items": {"type": "string"}},
}
