"""Tables for people: columns as wide as their cells, one of them cut so that a line fits the terminal."""

import unicodedata
from collections.abc import Sequence

GAP = "  "
_LEAST = 8
_PLAIN = str.maketrans({"…": "~", "✗": "x", "·": "-"})


def width(text: str, /) -> int:
    """Return how many cells of a terminal a clean text takes."""
    if text.isascii():
        return len(text)
    return sum(
        2 if unicodedata.east_asian_width(each) in "WF" else 0 if unicodedata.combining(each) else 1 for each in text
    )


def cut(text: str, cells: int, /) -> str:
    """Return the text in at most so many cells, with ``…`` where it was cut."""
    if width(text) <= cells:
        return text
    kept, used = "", 0
    for each in text:
        used += width(each)
        if used > cells - 1:
            break
        kept += each
    return f"{kept.rstrip()}…" if cells > 0 else ""


def fill(text: str, cells: int, /) -> str:
    """Return the text with blanks up to so many cells."""
    return text + " " * (cells - width(text))


def table(rows: Sequence[Sequence[str]], /, *, stretch: int, cells: int, drop: Sequence[int] = ()) -> list[list[str]]:
    """Return the rows with each cell filled to its column's width; columns that are empty in all rows are left out.

    The column ``stretch`` is cut where a line would be wider than ``cells``, to eight at the least. Where that is not
    enough, the columns of ``drop`` are left out one after another, and in the end all cells are cut alike.
    """
    if not rows:
        return []
    widths = [max(width(row[column]) for row in rows) for column in range(len(rows[0]))]
    for dropped in (None, *drop):
        if dropped is not None:
            widths[dropped] = 0
        others = sum(each + len(GAP) for number, each in enumerate(widths) if each and number != stretch)
        if others + min(widths[stretch], _LEAST) <= cells:
            break
    widths[stretch] = min(widths[stretch], max(cells - others, _LEAST))
    shown = [number for number, each in enumerate(widths) if each]
    while sum(widths[number] for number in shown) + len(GAP) * (len(shown) - 1) > max(cells, 3 * len(shown)):
        widest = max(shown, key=lambda number: widths[number])
        widths[widest] -= 1
    return [[fill(cut(row[number], widths[number]), widths[number]) for number in shown] for row in rows]


def plain(text: str, /) -> str:
    """Return the text with our own signs spelt in ASCII, for terminals that have no others."""
    return text.translate(_PLAIN)
