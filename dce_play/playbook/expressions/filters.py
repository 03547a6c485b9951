"""The filters, tests and functions that expressions may use: pure, bounded, and never silent about a wrong type."""

import json
import posixpath
import re
from collections.abc import Callable, Mapping
from functools import wraps
from typing import Any, cast

from jinja2.exceptions import TemplateRuntimeError
from jinja2.filters import FILTERS as _JINJA
from jinja2.runtime import Undefined
from jinja2.tests import TESTS as _JINJA_TESTS

from dce_play.playbook.expressions.bounds import (
    MAX_ITEMS,
    MAX_NESTING,
    MAX_PRECISION,
    MAX_RANGE,
    MAX_TEXT,
    OutOfBounds,
    bounded,
    measure,
    metered,
)
from dce_play.playbook.types.values import SecretReference, SecretTouched, UnknownTouched, Unready
from dce_play.system.quantities import parse_duration, parse_size, show_duration

_NO_DEFAULT = object()


def as_text(value: object, /) -> str:
    """Return the value as it stands in a text.

    Raises: TypeError, for null, lists and mappings.
    """
    match value:
        case str():
            return value
        case bool():
            return "true" if value else "false"
        case int() | float():
            return str(value)
        case Unready():
            raise UnknownTouched
        case SecretReference():
            raise SecretTouched
        case Undefined():
            return str(value)
        case None:
            raise TypeError("null cannot stand in text; give it a default")
        case _:
            kind = "a mapping" if isinstance(value, Mapping) else "a list"
            raise TypeError(f"{kind} cannot stand in text; use | tojson")


def _text(value: object, name: str) -> str:
    if isinstance(value, str):
        return value
    if isinstance(value, Unready | SecretReference | Undefined):
        as_text(value)
    raise TypeError(f"{name} takes text, not {json.dumps(value, default=str)[:40]}")


def _default(value: object, default: object = "", /) -> object:
    """Return the default for what is not defined and for null."""
    if isinstance(value, Unready):
        return value
    return default if value is None or isinstance(value, Undefined) else value


def _int(value: object, default: object = _NO_DEFAULT, /) -> object:
    """Return text or a number as a whole number."""
    try:
        return int(as_text(value))
    except ValueError:
        if isinstance(value, float):
            return int(value)
        if default is _NO_DEFAULT:
            raise ValueError(f"int takes a whole number, not {json.dumps(value)[:40]}") from None
        return default


def _float(value: object, default: object = _NO_DEFAULT, /) -> object:
    """Return text or a number as a number."""
    try:
        return float(as_text(value))
    except ValueError:
        if default is _NO_DEFAULT:
            raise ValueError(f"float takes a number, not {json.dumps(value)[:40]}") from None
        return default


def _join(value: object, separator: str = "", attribute: str | None = None) -> str:
    """Return the items as one text."""
    items = bounded(value)
    if attribute is not None:
        items = [item[attribute] for item in items]
    texts = [as_text(item) for item in items]
    if sum(map(len, texts)) + len(separator) * len(texts) > MAX_TEXT:
        raise ValueError(f"text goes up to {MAX_TEXT} characters")
    return _text(separator, "join").join(texts)


def _replace(value: str, old: str, new: str, /) -> str:
    """Return the text with one part replaced everywhere."""
    text = _text(value, "replace")
    if len(text) + text.count(old) * len(new) > MAX_TEXT:
        raise ValueError(f"text goes up to {MAX_TEXT} characters")
    return text.replace(old, new)


def _tojson(value: object) -> str:
    """Return the value as JSON."""

    def refuse(part: object) -> object:
        as_text(part)
        raise TypeError(f"{type(part).__name__} is not plain data")

    measure(value)
    return json.dumps(value, ensure_ascii=False, default=refuse)


def _length(value: Any) -> int:
    """Return how many characters, items or keys there are."""
    return len(value)


def _split(value: str, separator: str | None = None, /) -> list[str]:
    """Return the parts of the text."""
    return _text(value, "split").split(separator)


def _slug(value: str) -> str:
    """Return the text in lower case with dashes for all that a file name should not have."""
    return re.sub(r"[^a-z0-9]+", "-", _text(value, "slug").lower()).strip("-")


def _range(*bounds: int) -> list[int]:
    """Return whole numbers, as Python's range does."""
    numbers = range(*bounds)
    if len(numbers) > MAX_RANGE:
        raise ValueError(f"range goes up to {MAX_RANGE} numbers")
    return list(numbers)


def _batch(value: Any, count: object, fill: object = None) -> Any:
    """Return the items in lists of so many, the last one filled up where there is something to fill it with."""
    return _JINJA["batch"](value, _between(count, 1, MAX_ITEMS, "batch"), fill)


def _round(value: object, precision: object = 0, method: str = "common") -> object:
    """Return a number rounded to so many digits behind the point, or before it."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        as_text(value)
        raise TypeError(f"round takes a number, not {json.dumps(value, default=str)[:40]}")
    return _JINJA["round"](value, _between(precision, -MAX_PRECISION, MAX_PRECISION, "round"), method)


def _sum(value: Any, attribute: Any = None, start: object = 0) -> object:
    """Return the sum of numbers."""
    if isinstance(start, bool) or not isinstance(start, int | float):
        raise TypeError("sum begins with a number")
    items = bounded(value) if attribute is None else [item[attribute] for item in bounded(value)]
    for item in items:
        if isinstance(item, bool) or not isinstance(item, int | float):
            as_text(item)
            raise TypeError(f"sum takes numbers, not {json.dumps(item, default=str)[:40]}")
    return sum(items, start)


def _between(number: object, least: int, most: int, name: str) -> int:
    if isinstance(number, bool) or not isinstance(number, int):
        as_text(number)
        raise TypeError(f"{name} takes a whole number")
    if not least <= number <= most:
        raise OutOfBounds(f"{name} takes {least} to {most}")
    return number


def _fromjson(value: object) -> object:
    """Return what JSON text says."""
    try:
        made: object = json.loads(_text(value, "fromjson"), parse_constant=_no_number)
    except RecursionError:
        raise OutOfBounds(f"values are nested at most {MAX_NESTING} deep") from None
    measure(made)
    return made


def _no_number(name: str) -> object:
    raise ValueError(f"{name} is not JSON")


_FILTERS: dict[str, Callable[..., Any]] = {
    **{
        name: _JINJA[name]
        for name in ("abs", "dictsort", "first", "items", "last", "list", "map", "max", "min", "reject")
    },
    **{name: _JINJA[name] for name in ("rejectattr", "reverse", "select", "selectattr", "sort", "unique")},
    "batch": _batch,
    "basename": lambda value: posixpath.basename(_text(value, "basename")),
    "bytes": lambda value: parse_size(as_text(value)),
    "count": _length,
    "default": _default,
    "dirname": lambda value: posixpath.dirname(_text(value, "dirname")),
    "duration": lambda value: show_duration(float(as_text(value))),
    "float": _float,
    "fromjson": _fromjson,
    "int": _int,
    "join": _join,
    "length": _length,
    "lower": lambda value: _text(value, "lower").lower(),
    "replace": _replace,
    "round": _round,
    "seconds": lambda value: parse_duration(as_text(value)),
    "slug": _slug,
    "split": _split,
    "string": as_text,
    "sum": _sum,
    "tojson": _tojson,
    "trim": lambda value: _text(value, "trim").strip(),
    "upper": lambda value: _text(value, "upper").upper(),
}

FILTERS: Mapping[str, Callable[..., Any]] = {name: metered(each) for name, each in _FILTERS.items()}


def _defined(value: object) -> bool:
    if isinstance(value, Unready):
        raise UnknownTouched
    return not isinstance(value, Undefined)


def _known(test: Callable[..., Any]) -> Callable[..., Any]:
    @wraps(test)
    def known(value: object, *args: object) -> Any:
        if isinstance(value, Unready | SecretReference | Undefined):
            as_text(value)
        return test(value, *args)

    return known


_TESTS: dict[str, Callable[..., Any]] = {
    **{
        name: _known(cast("Callable[..., Any]", _JINJA_TESTS[name]))
        for name in ("boolean", "divisibleby", "even", "float", "integer", "mapping", "none", "number", "odd", "string")
    },
    **{
        name: cast("Callable[..., Any]", _JINJA_TESTS[name])
        for name in ("==", "!=", "<", "<=", ">", ">=", "eq", "ne", "lt", "le", "gt", "ge", "in", "true", "false")
    },
    "defined": _defined,
    "undefined": lambda value: not _defined(value),
    "list": _known(lambda value: isinstance(value, list)),
}

TESTS: Mapping[str, Callable[..., Any]] = {name: metered(each) for name, each in _TESTS.items()}
FUNCTIONS: Mapping[str, Callable[..., Any]] = {"range": metered(_range)}

EXPECTED_FAILURES: tuple[type[Exception], ...] = (
    ArithmeticError,
    TemplateRuntimeError,
    LookupError,
    TypeError,
    ValueError,
)
