"""Tables for people: columns as wide as their cells, one of them cut so that a line fits the terminal."""

from collections.abc import Sequence

from dce_play.system.cells import first, pad, width

GAP = "  "
_LEAST = 8
_PLAIN = str.maketrans({"…": "~", "✗": "x", "·": "-"})


def cut(text: str, cells: int, /) -> str:
    """Return the text in at most so many cells, with ``…`` where its end was cut off."""
    if width(text) <= cells:
        return text
    return f"{first(text, cells - 1).rstrip()}…" if cells > 0 else ""


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
    return [[pad(cut(row[number], widths[number]), widths[number]) for number in shown] for row in rows]


def plain(text: str, /) -> str:
    """Return the text with our own signs spelt in ASCII, for terminals that have no others."""
    return text.translate(_PLAIN)
