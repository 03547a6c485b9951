"""Guessing where one message ends and the next begins, so that whole stretches of messages can be parsed at once.

A guess is never trusted: a stretch that was cut in the wrong place does not parse.
"""

import re
from typing import Protocol

from dce_play.discord.archive.scan.channel_bytes import ChannelBytes
from dce_play.discord.archive.scan.frame import opening_at

_LOOK_BYTES = 4096
_MAX_TRIES = 64
_FIRST_KEY = re.compile(rb'\{[ \t\r\n]*"[^"\\]*"[ \t\r\n]*:')
_NEXT_KEY = re.compile(rb'[ \t\r\n]*"[^"\\]*"[ \t\r\n]*,([ \t\r\n]*"[^"\\]*"[ \t\r\n]*:)')


class Boundaries(Protocol):
    """A guess for one layout."""

    def last_comma(self, buffer: bytearray, end: int, /) -> int:
        """Return the index of the last comma in ``buffer[:end]`` that seems to part two messages, or -1."""


class LineBoundaries:
    """Messages end on a line of their own: line break, indentation, ``},``."""

    def __init__(self, indentation: bytes) -> None:
        self.line = b"\n" + indentation + b"},"

    def last_comma(self, buffer: bytearray, end: int, /) -> int:
        found = buffer.rfind(self.line, 0, end)
        return found if found < 0 else found + len(self.line) - 1


class OpeningBoundaries:
    """Messages stand one behind the other: each begins with the keys with which the first one begins."""

    def __init__(self, opening: bytes, pattern: re.Pattern[bytes]) -> None:
        self._opening = opening
        self._pattern = pattern

    def last_comma(self, buffer: bytearray, end: int, /) -> int:
        at = end
        for _ in range(_MAX_TRIES):
            at = buffer.rfind(self._opening, 1, at)
            if at < 0:
                break
            comma = at - 1
            while buffer[comma] in b" \t\r\n":
                comma -= 1
            if buffer[comma] == ord(",") and self._pattern.match(buffer, at, end):
                return comma
        return -1


def guess_boundaries(source: ChannelBytes, start: int) -> Boundaries:
    """Return the guess for a file whose first message, if any, follows this offset."""
    opening = opening_at(source, start)
    if b"\n" in opening or not (first := source.read_at(_LOOK_BYTES, start + len(opening))).startswith(b"{"):
        return LineBoundaries(opening.rpartition(b"\n")[2])
    key = _FIRST_KEY.match(first)
    if key is None:
        return LineBoundaries(b"")
    following = _NEXT_KEY.match(first, key.end())
    rest = rb'[ \t\r\n]*"[^"\\]*"[ \t\r\n]*,' + re.escape(following[1]) if following else b""
    return OpeningBoundaries(key[0], re.compile(re.escape(key[0]) + rest))
