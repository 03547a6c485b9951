"""Strict JSON for what is small: headers, trailers and single messages. The last judge of what is JSON.

Stricter than Python's own reader (no NaN, valid UTF-8 only), and more patient than the fast engines: a lone surrogate
escape and a number beyond every machine's range are legal JSON and pass. Numbers are never converted.
"""

import json
import re
from typing import Any, NoReturn

DEEPEST = 1000
"""So many values may lie inside each other. Some releases of Python stop there by themselves, others do not."""
_BUT_BRACKETS = bytes(set(range(256)) - set(b"[]{}"))
_STRING = re.compile(rb'"[^"\\]*(?:\\.[^"\\]*)*"', re.DOTALL)
_PAIRS = 64


class NotJson(ValueError):
    """Bytes that are not one JSON value. ``offset`` counts from their start."""

    def __init__(self, reason: str, offset: int) -> None:
        super().__init__(reason)
        self.reason = reason
        self.offset = offset


def strict_value(data: bytes) -> Any:
    """Return the value. Of a key given twice the first counts; numbers come as ``None``.

    Raises: NotJson.
    """
    return _decode(data, _FIRST_WINS)


def strict_object(data: bytes) -> Any:
    """Return the value; a key given twice in one object, at any depth, is an error.

    Raises: NotJson.
    """
    return _decode(data, _ONCE)


def is_too_deep(data: bytes) -> bool:
    """Return whether more than ``DEEPEST`` values lie inside each other, in bytes that may be JSON."""
    if data.count(b"[") + data.count(b"{") <= DEEPEST:
        return False
    brackets = _STRING.sub(b"", data).translate(None, _BUT_BRACKETS)
    for _ in range(_PAIRS):  # innermost pairs go first; what is left at last is at least as long as it is deep
        if len(brackets) <= DEEPEST - _PAIRS:
            return False
        brackets = brackets.replace(b"[]", b"").replace(b"{}", b"")
    depth = deepest = 0
    for each in _STRING.sub(b"", data).translate(None, _BUT_BRACKETS):
        depth += 1 if each in b"[{" else -1
        deepest = max(deepest, depth)
    return deepest > DEEPEST


def _decode(data: bytes, decoder: json.JSONDecoder) -> Any:
    if is_too_deep(data):
        raise NotJson("nested too deep", 0)
    try:
        text = data.decode("utf-8")
    except UnicodeDecodeError as error:
        raise NotJson("not valid UTF-8", error.start) from error
    try:
        return decoder.decode(text)
    except json.JSONDecodeError as error:
        raise NotJson(f"not JSON: {error.msg}", len(text[: error.pos].encode("utf-8"))) from error
    except RecursionError as error:
        raise NotJson("nested too deep", 0) from error
    except _Refused as error:
        raise NotJson(str(error), 0) from error


class _Refused(ValueError):
    """Something that Python's own reader lets pass."""


def _no_constant(name: str) -> NoReturn:
    raise _Refused(f"not JSON: {name}")


def _no_number(_text: str) -> None:
    return None


def _first_wins(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    return dict(reversed(pairs))


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    value = dict(pairs)
    if len(value) < len(pairs):
        keys = [key for key, _ in pairs]
        raise _Refused(f"the key {next(key for key in keys if keys.count(key) > 1)!r} is given twice")
    return value


_FIRST_WINS = json.JSONDecoder(
    object_pairs_hook=_first_wins, parse_constant=_no_constant, parse_float=_no_number, parse_int=_no_number
)
_ONCE = json.JSONDecoder(
    object_pairs_hook=_once, parse_constant=_no_constant, parse_float=_no_number, parse_int=_no_number
)
