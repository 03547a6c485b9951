"""Widths in cells of a terminal: measuring, cutting in the middle, padding, columns, wrapping at words.

East Asian characters and emoji take two cells, marks none. Only other texts than ASCII import the table.
"""

from collections.abc import Collection, Sequence

_OF_OURS = frozenset("✓±✗↺▸│…─↻·→▁▂▃▄▅▆▇█⠋⠙⠹⠸⠼⠴⠦⠧⠇⠏")
_COMBINING = "\u0300"
"""Below it, every character that a clean text has takes one cell."""


def width(text: str, /) -> int:
    """Return how many cells the text takes."""
    if _is_narrow(text):
        return len(text)
    from rich.cells import cell_len  # 18 ms, which most runs never need

    return cell_len(text)


def cut(text: str, cells: int, mark: str = "…", /) -> str:
    """Return the text in at most so many cells; what is left out of its middle is told by the mark."""
    if width(text) <= cells:
        return text
    room = cells - width(mark)
    if room <= 0:
        return mark[: max(cells, 0)]
    back = room // 2
    return first(text, room - back) + mark + last(text, back)


def first(text: str, cells: int, /) -> str:
    """Return as much of the text's beginning as these cells hold; no character is torn apart."""
    return text[: _reach(text, cells)]


def last(text: str, cells: int, /) -> str:
    """Return as much of the text's end as these cells hold."""
    taken = 0
    for begin, _, size in reversed(_characters(text)):
        if taken + size > cells:
            break
        taken += size
        start = begin
    return text[start:] if taken else ""


def pad(text: str, cells: int, /, *, right: bool = False) -> str:
    """Return the text with spaces up to so many cells, behind it or, with ``right``, before it."""
    space = " " * max(cells - width(text), 0)
    return space + text if right else text + space


def aligned(rows: Sequence[Sequence[str]], /, *, right: Collection[int] = ()) -> list[str]:
    """Return a line for each row, whose columns begin below one another, or end there for those of ``right``.

    The columns are two cells apart. All rows have as many, and those that are empty in each row take no room.
    """
    widths = [max(map(width, column)) for column in zip(*rows, strict=True)]
    return [
        "  ".join(
            pad(cell, widths[number], right=number in right) for number, cell in enumerate(row) if widths[number]
        ).rstrip()
        for row in rows
    ]


def wrapped(text: str, cells: int, /) -> list[str]:
    """Return the text in lines of at most so many cells, broken between words; a longer word stays whole."""
    lines: list[str] = []
    for word in text.split():
        if lines and width(lines[-1]) + 1 + width(word) <= cells:
            lines[-1] += f" {word}"
        else:
            lines.append(word)
    return lines


def _is_narrow(text: str) -> bool:
    return text.isascii() or all(each < _COMBINING or each in _OF_OURS for each in text)


def _reach(text: str, cells: int) -> int:
    taken = end = 0
    for _, stop, size in _characters(text):
        if taken + size > cells:
            break
        taken, end = taken + size, stop
    return end


def _characters(text: str) -> list[tuple[int, int, int]]:
    """Return begin, end and width of each character as people see it."""
    if _is_narrow(text):
        return [(number, number + 1, 1) for number in range(len(text))]
    from rich.cells import split_graphemes

    return [(begin, end, size) for begin, end, size in split_graphemes(text)[0]]
