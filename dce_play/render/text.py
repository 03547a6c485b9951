"""Text that is safe and short enough for a terminal: no control characters, durations in words, two sets of signs."""

import re
from dataclasses import dataclass

_ESCAPE = re.compile(
    r"\x1b(?:\[[0-?]*[ -/]*[@-~]|[\]PX^_][^\x07\x1b]*(?:\x07|\x1b\\)?|[ -/]*[0-~])|\x9b[0-?]*[ -/]*[@-~]"
)
_CONTROL = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u200b\u200e\u200f\u2028-\u202e\u2060-\u2069\ufeff\ud800-\udfff]")


def clean(text: str, /) -> str:
    """Return the text without escape sequences and without characters that move the cursor or turn text around.

    Line feeds stay; tabs become four spaces.
    """
    if text.isascii() and text.isprintable():
        return text
    return _CONTROL.sub("", _ESCAPE.sub("", text)).replace("\t", "    ")


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
