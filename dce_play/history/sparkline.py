"""Numbers as a line of blocks."""

from collections.abc import Sequence

_BLOCKS = "▁▂▃▄▅▆▇█"
_PLAIN = "_.-=*#"


def sparkline(numbers: Sequence[int], /, *, ascii_only: bool = False) -> str:
    """Return one character a number, the tallest for the greatest; the lowest is for none, and only for that."""
    blocks = _PLAIN if ascii_only else _BLOCKS
    most = max(numbers, default=0)
    if most <= 0:
        return blocks[0] * len(numbers)
    return "".join(blocks[0 if number <= 0 else _height(number, most, len(blocks))] for number in numbers)


def _height(number: int, most: int, heights: int) -> int:
    """Return 1 for the least number above none, ``heights - 1`` for the greatest."""
    return max(1, round(number / most * (heights - 1)))
