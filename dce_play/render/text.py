"""Text for a terminal: one clean line, durations in words, amounts, two sets of signs."""

from dataclasses import dataclass

from dce_play.system.counted import in_number
from dce_play.system.foreign_text import clean


def one_line(text: str, /) -> str:
    """Return the text as one clean line."""
    return " ".join(clean(text).split())


def duration(seconds: float, /) -> str:
    """Return ``0.4 s``, ``41 s``, ``1 min 12 s``, ``3 h 05 min``."""
    if seconds < 10:
        return f"{seconds:.1f} s"
    whole = round(seconds)
    if whole < 60:
        return f"{whole} s"
    minutes, left = divmod(whole, 60)
    if minutes < 60:
        return f"{minutes} min {left:02d} s"
    hours, minutes = divmod(minutes, 60)
    return f"{hours} h {minutes:02d} min"


def amount(value: float, /) -> str:
    """Return a number with thousands apart and without a useless fraction."""
    return f"{int(value):,}".replace(",", " ") if value == int(value) else f"{value:,.1f}".replace(",", " ")


def counted(count: int, singular: str, /) -> str:
    """Return ``1 channel`` or ``7 channels``."""
    return f"{amount(count)} {in_number(count, singular)}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Signs:
    """The signs before a line. ``ASCII`` is for terminals that cannot show the others."""

    ok: str
    changed: str
    skipped: str
    failed: str
    rescued: str
    maybe: str
    group: str
    running: str
    said: str
    again: str
    dot: str
    rule: str


UNICODE = Signs(
    ok="✓",
    changed="±",
    skipped="·",
    failed="✗",
    rescued="↺",
    maybe="?",
    group="▸",
    running="…",
    said="│",
    again="↻",
    dot="·",
    rule="─",
)
ASCII = Signs(
    ok="+",
    changed="~",
    skipped="-",
    failed="x",
    rescued="r",
    maybe="?",
    group=">",
    running=".",
    said="|",
    again="@",
    dot="-",
    rule="-",
)
