"""JSON at the level of tokens: where values start and end, whatever the layout. Says nothing about validity.

Only brackets and strings are looked at, so a value found here is whole, but perhaps not JSON: ``strict_json`` judges.
"""

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass

MAX_DEPTH = 1000
_SPACE = re.compile(rb"[ \t\r\n]*+")
_STRING = re.compile(rb'"(?:[^"\\]++|\\.)*+"', re.DOTALL)
_TO_BRACKET = re.compile(rb'(?:[^"{}\[\]]++|"(?:[^"\\]++|\\.)*+")*+[{}\[\]]', re.DOTALL)
_SCALAR = re.compile(rb'[^ \t\r\n,:\]}"{\[]++')
_OPENING = frozenset(b"{[")

Bytes = bytes | bytearray | memoryview


class TooDeep(ValueError):
    """Brackets nested deeper than any reader takes."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Member:
    """One member of an object: its key, and where its value stands."""

    key: str
    start: int
    end: int


def skip_space(data: Bytes, at: int) -> int:
    """Return the first offset at or after this one that is not white space."""
    found = _SPACE.match(data, at)
    return found.end() if found else at


def value_end(data: Bytes, start: int) -> int | None:
    """Return the offset just past the value that starts here; ``None`` when it does not end in these bytes.

    A number or a word ends where the bytes do. Raises: TooDeep.
    """
    if start >= len(data):
        return None
    if data[start] in _OPENING:
        return _nested_end(data, start)
    found = (_STRING if data[start] == ord('"') else _SCALAR).match(data, start)
    return found.end() if found else None


def members_until(data: Bytes, start: int, *, stop_key: str) -> Iterator[Member]:
    """Yield the members of an object from just past its ``{`` or a comma on.

    Ends before the member called ``stop_key``, which is yielded with its end at its start, and where the object or
    the bytes end.
    """
    at = start
    while True:
        at = skip_space(data, at)
        key = _STRING.match(data, at)
        if key is None:
            return
        name = _name(bytes(key[0]))
        at = skip_space(data, key.end())
        if data[at : at + 1] != b":":
            return
        at = skip_space(data, at + 1)
        if name == stop_key:
            yield Member(key=name, start=at, end=at)
            return
        end = value_end(data, at)
        if end is None:
            return
        yield Member(key=name, start=at, end=end)
        at = skip_space(data, end)
        if data[at : at + 1] != b",":
            return
        at += 1


def _nested_end(data: Bytes, start: int) -> int | None:
    depth = 0
    at = start
    while True:
        found = _TO_BRACKET.match(data, at)
        if found is None:
            return None
        at = found.end()
        if data[at - 1] in _OPENING:
            depth += 1
            if depth > MAX_DEPTH:
                raise TooDeep
        else:
            depth -= 1
            if depth == 0:
                return at


def _name(key: bytes) -> str:
    try:
        return str(json.loads(key.decode("utf-8")))
    except ValueError:
        return ""
