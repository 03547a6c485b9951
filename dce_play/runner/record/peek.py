"""The first and the last line of a journal, read without the lines between: what a list of many runs needs.

A journal may be megabytes long. Damage between the two lines is not seen here; reading the whole journal tells it.
"""

import json
import os
from dataclasses import dataclass
from pathlib import Path

from dce_play.source import JsonValue
from dce_play.system.durable.regular_files import open_regular

_BLOCK_BYTES = 16 << 10
_LONGEST_LINE_BYTES = 16 << 20
"""A line that is longer is no event of ours."""
_WIDEST_BYTES = 2 * (_LONGEST_LINE_BYTES + 1)
"""The last whole line, and one behind it that was torn."""
_TOO_LONG = f"a line of more than {_LONGEST_LINE_BYTES >> 20} MiB"


class NotAnEvent(Exception):
    """A line of a journal is not the JSON object that it should be."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Peek:
    """The two ends of a journal. A journal of one line has it twice; one without a whole line has empty ones."""

    first: dict[str, JsonValue]
    last: dict[str, JsonValue]
    damage: str = ""
    """Which of the two is no event, and why; it is empty then."""


def peek(path: Path, /) -> Peek:
    """Return the two ends. A last line without its line break is being written, or was torn: it does not count.

    Raises: OSError.
    """
    descriptor = open_regular(path)
    first: dict[str, JsonValue] = {}
    try:
        size = os.fstat(descriptor).st_size
        place = "line 1"
        head = _first_line(descriptor, size)
        if not head:
            return Peek(first={}, last={})
        first = _event(head)
        place = "the last line"
        return Peek(first=first, last=_event(last_lines(descriptor, size, 0)[-1]))
    except NotAnEvent as error:
        return Peek(first=first, last={}, damage=f"{place} is no event: {error}")
    finally:
        os.close(descriptor)


def _first_line(descriptor: int, size: int) -> bytes:
    """Return the first line without its line break; empty when no line is whole yet.

    Raises: NotAnEvent, for a line of many megabytes.
    """
    data = bytearray()
    while len(data) <= _LONGEST_LINE_BYTES:
        block = os.pread(descriptor, _BLOCK_BYTES, len(data)) if len(data) < size else b""
        end = block.find(b"\n")
        if not block:
            return b""
        data += block if end < 0 else block[:end]
        if end >= 0 and len(data) <= _LONGEST_LINE_BYTES:
            return bytes(data)
    raise NotAnEvent(_TOO_LONG)


def last_lines(descriptor: int, size: int, least_bytes: int) -> list[bytes]:
    """Return the last whole lines: at least one where there is one, and all that begin in the last ``least_bytes``.

    Raises: NotAnEvent, for a line of many megabytes.
    """
    span = max(_BLOCK_BYTES, least_bytes)
    while True:
        start = max(size - span, 0)
        data = os.pread(descriptor, size - start, start)
        lines = data.split(b"\n")[(1 if start else 0) : -1]
        too_long = len(lines[-1]) > _LONGEST_LINE_BYTES if lines else span >= _WIDEST_BYTES
        if too_long:
            raise NotAnEvent(_TOO_LONG)
        if lines or not start:
            return lines
        span = min(4 * span, _WIDEST_BYTES)


def _event(line: bytes) -> dict[str, JsonValue]:
    try:
        event = json.loads(line)
    except (ValueError, RecursionError) as error:
        raise NotAnEvent("not JSON") from error
    if not isinstance(event, dict):
        raise NotAnEvent("not a JSON object")
    return event
