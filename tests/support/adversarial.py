"""Adversarial text for functions that take whatever somebody wrote: twice the text may not take thrice the work.

``not_linear(function)`` feeds repeated pieces, and pieces behind each other, in two lengths. Work is counted in
Python's own steps; what a regular expression does inside one step is counted in processor time of the thread, with
room for noise, on texts that are long enough for a square to show.
"""

import gc
import sys
import time
from collections.abc import Callable, Sequence
from types import FrameType
from typing import Any

PIECES = (
    "a", " ", "\n", "\t", "\\", "'", '"', "`", "*", "_", "~", "|", "<", ">", "[", "]", "(", ")", "{", "}", "{{", "}}",
    "#", ":", "=", "$", "&", "%", "/", "-", ".", "0", "\x1b[", "\x1b]", "\x1b", "\x9b", "\x07", "\x00", "\u202e",
    "\u200b", "\ufeff", "\ud800", "é", "\U0001f600", "a b", "http://", "\r\n", "--", "==", "\\u0000", "%41",
)  # fmt: skip
SHORT_STEPS, LONG_TIME = 64, 4096
"""How often a piece is repeated where steps are counted, and where time is."""
_NOISE_S = 0.02


def steps_of(function: Callable[[str], object], text: str) -> int:
    """Return how many lines of Python the function runs."""
    count = 0

    def trace(_frame: FrameType, event: str, _argument: Any) -> Any:
        nonlocal count
        count += event == "line"
        return trace

    before = sys.gettrace()
    gc.disable()  # what a collection calls back to is not the function's work
    sys.settrace(trace)
    try:
        function(text)
    finally:
        sys.settrace(before)
        gc.enable()
    return count


def seconds_of(function: Callable[[str], object], text: str) -> float:
    """Return the processor time of the quickest of three calls."""
    taken = []
    for _ in range(3):
        begun = time.thread_time()
        function(text)
        taken.append(time.thread_time() - begun)
    return min(taken)


def not_linear(function: Callable[[str], object], *, pieces: Sequence[str] = PIECES) -> list[str]:
    """Return what makes the function do more than thrice the work for twice the text."""
    bad: list[str] = []
    function("".join(pieces))  # what is made at the first call does not count
    for first in pieces:
        for second in ("", "a", first[::-1]):
            text = (first + second) * SHORT_STEPS
            if steps_of(function, text * 2) > 3 * steps_of(function, text) + 200:
                bad.append(f"steps: {first + second!a}")
        text = first * LONG_TIME
        if seconds_of(function, text * 2) > 3 * seconds_of(function, text) + _NOISE_S:
            bad.append(f"time: {first!a}")
    return bad
