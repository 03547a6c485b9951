"""Growth as bars of an inline SVG: where each stands, how tall it is, and what it says."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date

from dce_play.system.counted import counted

WIDTH, HEIGHT = 600, 96
_LEAST = 2.0
"""The height of a day with a single message: it is to be seen beside a day with thousands."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Bar:
    """One day. Lengths are units of the picture's own, whose origin is its upper left corner."""

    x: float
    y: float
    width: float
    height: float
    words: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Chart:
    """The bars, and the words under and above them."""

    bars: tuple[Bar, ...]
    most: int
    """What the tallest bar stands for; 0 where nothing came in."""
    first: str
    last: str
    words: str
    """The whole in a sentence, for whoever cannot see it."""
    width: int = WIDTH
    height: int = HEIGHT


def growth_chart(by_day: Sequence[tuple[date, int]], /) -> Chart:
    """Return the chart of so many days, the oldest first. Days without messages have no bar."""
    most = max((count for _, count in by_day), default=0)
    slot = WIDTH / max(len(by_day), 1)
    bars = []
    for number, (day, count) in enumerate(by_day):
        if count <= 0:
            continue
        height = max(count / most * HEIGHT, _LEAST)
        words = f"{day.isoformat()}: +{count:,}"
        bars.append(
            Bar(
                x=round(number * slot + slot * 0.1, 2),
                y=round(HEIGHT - height, 2),
                width=round(slot * 0.8, 2),
                height=round(height, 2),
                words=words,
            )
        )
    total = sum(count for _, count in by_day)
    first, last = (by_day[0][0].isoformat(), by_day[-1][0].isoformat()) if by_day else ("", "")
    words = f"{counted(total, 'message', grouped=True)} from {first} to {last}, at most {most:,} on a day"
    return Chart(bars=tuple(bars), most=most, first=first, last=last, words=words)
