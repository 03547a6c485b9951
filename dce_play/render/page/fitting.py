"""Lines that fit a screen: cut where they are too long, with a right-hand part at the edge, or wrapped at words."""

import shlex
from collections.abc import Iterator, Sequence

from dce_play.render.lines import Line, Segment
from dce_play.render.page.display import DisplayOptions
from dce_play.render.text import ASCII, one_line
from dce_play.system.cells import cut, pad, width, wrapped

_SHORTEST = 6
"""A part of a line is cut down to so many cells before the next part is cut, too."""
_CONTINUED = 4
"""A command's further lines are indented no farther."""
_WIDEST = 100
"""A right-hand part stands no farther to the right."""


class Fitting:
    """Makes lines for one screen."""

    def __init__(self, display: DisplayOptions) -> None:
        self.signs = display.signs
        self.width = max(display.width, 1)
        self.root = ""
        """The archive root, ending in a slash, once it is known."""
        self._encoding = display.encoding
        self._breaks = display.breaks
        self.mark = ".." if display.signs is ASCII else "…"

    def text(self, foreign: str, /) -> str:
        """Return a text that somebody else wrote as one clean line, as this screen's encoding can show it."""
        return self.spaced(one_line(foreign))

    def spaced(self, text: str, /) -> str:
        """Return a clean text whose spaces mean something, as this screen can show it.

        Paths are told from the archive root on; not in a text that may be typed.
        """
        if self.root and "dce-play " not in text:
            text = text.replace(self.root, "")
        return text if text.isascii() else text.encode(self._encoding, "backslashreplace").decode(self._encoding)

    def cut(self, text: str, cells: int, /) -> str:
        """Return the text in at most so many cells."""
        return cut(text, cells, self.mark)

    def fitted(self, parts: Sequence[Segment], /) -> Line:
        """Return the line with its longest parts cut in the middle until it fits."""
        segments = [part for part in parts if part[0]]
        excess = sum(width(text) for text, _ in segments) - self.width
        while excess > 0:
            longest = max(range(len(segments)), key=lambda number: width(segments[number][0]))
            text, style = segments[longest]
            size = width(text)
            if size <= _SHORTEST:
                return self._chopped(segments)
            shorter = self.cut(text, max(size - excess, _SHORTEST))
            excess -= size - width(shorter)
            segments[longest] = (shorter, style)
        return tuple(segments)

    def _chopped(self, segments: list[Segment]) -> Line:
        left, kept = self.width, []
        for text, style in segments:
            piece = self.cut(text, left)
            left -= width(piece)
            kept.append((piece, style))
        return tuple(part for part in kept if part[0])

    def spread(self, parts: Sequence[Segment], right: str, /, *, style: str = "dim") -> Line:
        """Return the line with ``right`` at the edge, two spaces apart at least."""
        if not right:
            return self.fitted(parts)
        edge = min(self.width, _WIDEST)
        taken = sum(width(text) for text, _ in parts)
        gap = max(edge - taken - width(right), 2)
        return self.fitted([*parts, (" " * gap if gap > 2 else "  ", ""), (right, style)])

    def wrapped(self, before: Segment, text: str, /, *, style: str = "", whole: bool = False) -> Iterator[Line]:
        """Yield the text over as many lines as it takes, the first behind ``before``, the others below its end.

        A word that is too wide is cut in its middle, or with ``whole`` left to the terminal, for what is to be copied.
        """
        room = max(self.width - width(before[0]), 10)
        for number, line in enumerate(wrapped(self.text(text), room)):
            shown = line if whole else self.cut(line, room)
            yield (before if number == 0 else (" " * width(before[0]), ""), (shown, style))

    def said(self, before: Segment, line: str, /) -> Iterator[Line]:
        """Yield what a step said: as it is where that fits, a command so that it can be typed, else wrapped."""
        text = self.spaced(line)
        if width(before[0]) + width(text) <= self.width:
            yield (before, (text, ""))
            return
        inner = text[: len(text) - len(text.lstrip())]
        if text.strip().startswith("dce-play "):
            yield from self.command((before[0] + inner, before[1]), text.strip())
        else:
            yield from self.wrapped((before[0] + inner, before[1]), text, whole=True)

    def command(self, before: Segment, command: str, /) -> Iterator[Line]:
        """Yield a command to type; one that is too wide is broken between words, as a shell reads it.

        Its further lines are indented as far as its widest word leaves room.
        """
        if not self._breaks or width(before[0]) + width(command) <= self.width:
            yield (before, (command, "bold"))
            return
        words = [shlex.quote(word) for word in shlex.split(command)]
        room = self.width - max(map(width, words))
        indent = " " * max(min(width(before[0]), _CONTINUED, room), 0)
        lines: list[str] = []
        for word in words:
            taken = width(indent) if len(lines) > 1 else width(before[0])
            if lines and taken + width(lines[-1]) + 1 + width(word) + 2 <= self.width:
                lines[-1] += f" {word}"
            else:
                lines.append(word)
        for number, line in enumerate(lines):
            more = " \\" if number < len(lines) - 1 else ""
            yield ((before if number == 0 else (indent, "")), (line + more, "bold"))

    def names(self, names: Sequence[str], cells: int, /) -> str:
        """Return ``memes, ops and 5 more`` in at most so many cells, as far as that can be."""
        clean = [self.text(name) for name in names]
        for count in range(len(clean), 0, -1):
            rest = f" and {len(clean) - count} more" if count < len(clean) else ""
            told = ", ".join(clean[:count]) + rest
            if width(told) <= cells:
                return told
        rest = f" and {len(clean) - 1} more" if len(clean) > 1 else ""
        return self.cut(clean[0], max(cells - width(rest), 8)) + rest if clean else ""

    def column(self, text: str, cells: int, /, *, right: bool = False) -> str:
        """Return the text in exactly so many cells."""
        return pad(self.cut(text, cells), cells, right=right)
