"""Values by shape: plain data to Python values, and text from a command line or environment to plain data."""

import json
import math
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

from dce_play.playbook.types.shapes import Format, Kind, Shape, describe, with_article
from dce_play.playbook.types.values import SecretReference
from dce_play.snowflake import is_number
from dce_play.system.quantities import parse_duration, parse_size

_TRUE = frozenset({"true", "yes", "on", "1"})
_FALSE = frozenset({"false", "no", "off", "0"})
_REFERENCE = re.compile(r"(env|file|keyring):.+", re.DOTALL)


class WrongValue(ValueError):
    """A value is not what its param takes. The text says both."""


def to_python(value: Any, shape: Shape, /, *, folder: Path) -> Any:
    """Return a plain value as the Python value that the shape's type hint promises.

    Relative paths are below ``folder``.

    Raises: WrongValue.
    """
    if value is None and (shape.nullable or shape.kind is Kind.ANY):
        return None
    if isinstance(value, SecretReference):
        if shape.kind is not Kind.STR:
            raise WrongValue(f"a secret cannot be a {describe(shape)}")
        return value.reference
    checked = _plain(value, shape)
    match shape.kind:
        case Kind.LIST:
            item = shape.item or Shape()
            items = [_at(str(index), each, item, folder=folder) for index, each in enumerate(checked)]
            return shape.make(items) if shape.make is not None else items
        case Kind.MAP:
            return _mapping(checked, shape, folder=folder)
    if shape.format is Format.PATH:
        return folder / Path(checked).expanduser()
    return shape.make(checked) if shape.make is not None else checked


def _at(name: str, value: Any, shape: Shape, /, *, folder: Path) -> Any:
    try:
        return to_python(value, shape, folder=folder)
    except WrongValue as error:
        raise WrongValue(f"{name}: {error}") from error


def _mapping(value: dict[str, Any], shape: Shape, *, folder: Path) -> Any:
    if shape.fields is None:
        return {key: _at(key, each, shape.item or Shape(), folder=folder) for key, each in value.items()}
    for name in value:
        if name not in shape.fields:
            raise WrongValue(f'there is no "{name}"')
    for name, known in shape.fields.items():
        if known.required and name not in value:
            raise WrongValue(f'"{name}" is missing')
    made = {name: _at(name, each, shape.fields[name].shape, folder=folder) for name, each in value.items()}
    return shape.make(**made) if shape.make is not None else made


def _plain(value: Any, shape: Shape, /) -> Any:
    """Return the value, durations and sizes as numbers, when it is what the shape takes."""
    if shape.format is Format.DURATION and isinstance(value, str):
        value = _parsed(value, parse_duration)
    elif shape.format is Format.SIZE and isinstance(value, str):
        value = _parsed(value, parse_size)
    if not _KIND_CHECKS[shape.kind](value):
        raise WrongValue(f"{_show(value)} is not {with_article(describe(shape))}")
    if shape.format is Format.SNOWFLAKE and not is_number(value):
        raise WrongValue(f"{_show(value)} is not a snowflake, which is all digits")
    if shape.choices and value not in shape.choices:
        raise WrongValue(f"{_show(value)} is not {describe(shape)}")
    if shape.pattern and not re.search(shape.pattern, value):
        raise WrongValue(f"{_show(value)} does not match {shape.pattern}")
    if shape.minimum is not None and value < shape.minimum:
        raise WrongValue(f"{_show(value)} is below {shape.minimum:g}")
    if shape.maximum is not None and value > shape.maximum:
        raise WrongValue(f"{_show(value)} is above {shape.maximum:g}")
    return value


def check(value: Any, shape: Shape, /) -> Any:
    """Return a plain value as plain data: durations and sizes as numbers.

    Raises: WrongValue.
    """
    if value is None and (shape.nullable or shape.kind is Kind.ANY):
        return None
    if shape.kind is Kind.SECRET:
        return secret(value)
    checked = _plain(value, shape)
    if shape.kind is Kind.LIST:
        return [check(each, shape.item or Shape()) for each in checked]
    return checked


def secret(value: object, /) -> SecretReference:
    """Return a reference to a secret.

    Raises: WrongValue, for anything else, so that no secret is ever written down.
    """
    if isinstance(value, SecretReference):
        return value
    if not isinstance(value, str) or not _REFERENCE.fullmatch(value):
        raise WrongValue("a secret is given as env:NAME, file:PATH or keyring:NAME, never as itself")
    return SecretReference(value)


def from_text(text: str, shape: Shape, /) -> Any:
    """Return what a command line's or environment's text means, as plain data.

    Raises: WrongValue.
    """
    if shape.nullable and text in {"", "null"} and shape.kind is not Kind.STR:
        return None
    match shape.kind:
        case Kind.SECRET:
            return secret(text)
        case Kind.BOOL:
            word = text.lower()
            if word not in _TRUE | _FALSE:
                raise WrongValue(f"{_show(text)} is not a bool: write true, false, yes, no, on, off, 1 or 0")
            return word in _TRUE
        case Kind.LIST:
            return check(_list_from_text(text, shape.item or Shape()), shape)
        case Kind.INT if shape.format is Format.NONE:
            return check(_number(text, int, "whole number"), shape)
        case Kind.FLOAT if shape.format is Format.NONE:
            return check(_number(text, float, "number"), shape)
        case Kind.MAP | Kind.ANY:
            return _json(text)
        case _:
            return check(text, shape)


def _list_from_text(text: str, item: Shape) -> list[Any]:
    if text.lstrip().startswith("["):
        found = _json(text)
        if not isinstance(found, list):
            raise WrongValue(f"{_show(text)} is not a list: write a,b or JSON")
        return found
    return [from_text(part.strip(), item) for part in text.split(",") if part.strip()]


def _json(text: str) -> Any:
    try:
        return json.loads(text)
    except ValueError:
        return text


def _number(text: str, parse: Callable[[str], float], kind: str) -> float:
    try:
        number = parse(text)
    except ValueError:
        number = math.nan
    if not math.isfinite(number) or not text.isascii() or "_" in text:  # Python reads 1_000 and Arabic digits too
        raise WrongValue(f"{_show(text)} is not a {kind}")
    return number


def _parsed(text: str, parse: Callable[[str], float]) -> float:
    try:
        return parse(text)
    except ValueError as error:
        raise WrongValue(str(error)) from error


def _is_number(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


_KIND_CHECKS: dict[Kind, Callable[[Any], bool]] = {
    Kind.ANY: lambda _: True,
    Kind.NULL: lambda value: value is None,
    Kind.BOOL: lambda value: isinstance(value, bool),
    Kind.INT: lambda value: isinstance(value, int) and not isinstance(value, bool),
    Kind.FLOAT: _is_number,
    Kind.STR: lambda value: isinstance(value, str),
    Kind.LIST: lambda value: isinstance(value, list),
    Kind.MAP: lambda value: isinstance(value, dict),
    Kind.SECRET: lambda value: isinstance(value, SecretReference),
}


def _show(value: object) -> str:
    text = json.dumps(value, ensure_ascii=False, default=repr)
    return text if len(text) <= 60 else text[:57] + "…"
