"""Which line of a TOML file each key stands in. ``tomllib`` reads the values but keeps no places."""

import re
import tomllib
from typing import Any

Pointer = tuple[str, ...]

_HEADER = re.compile(r"\s*\[")


def key_lines(text: str) -> dict[Pointer, tuple[int, int]]:
    """Return line and column, both from 1, of every table and key of a valid document.

    A key inside an inline table stands where its outermost key does.
    """
    lines = text.split("\n")
    places: dict[Pointer, tuple[int, int]] = {}
    table: Pointer = ()
    at = 0
    while at < len(lines):
        if not lines[at].strip() or lines[at].lstrip().startswith("#"):
            at += 1
            continue
        first, statement, at = at, *_statement(lines, at)
        found = [pointer for pointer in _pointers(tomllib.loads(statement)) if pointer]
        if _HEADER.match(lines[first]):
            table = max(found, key=len)
            found = [table]
        else:
            found = [table + pointer for pointer in found]
        column = len(lines[first]) - len(lines[first].lstrip()) + 1
        for pointer in found:
            places.setdefault(pointer, (first + 1, column))
    return places


def _statement(lines: list[str], first: int) -> tuple[str, int]:
    """Return the statement that begins in a line, which may go on over several, and the line after it."""
    for end in range(first + 1, len(lines) + 1):
        statement = "\n".join(lines[first:end])
        try:
            tomllib.loads(statement)
        except tomllib.TOMLDecodeError:
            continue
        return statement, end
    raise ValueError("not a valid document")


def _pointers(value: Any, base: Pointer = ()) -> list[Pointer]:
    found = [base]
    if isinstance(value, list) and value and all(isinstance(item, dict) for item in value):
        value = value[-1]  # a table in an array of tables
    if isinstance(value, dict):
        for key, inner in value.items():
            found += _pointers(inner, (*base, key))
    return found
