"""What the doctor says of two clocks, of which one is told in whole seconds."""

from datetime import UTC, datetime, timedelta
from email.utils import format_datetime

import pytest

from dce_play.doctor.receiver import FURTHEST_CLOCK_S, clock_row, clocks_apart
from dce_play.doctor.rows import Level

NOON = datetime(2026, 11, 29, 12, tzinfo=UTC)


@pytest.mark.contract("D4")
@pytest.mark.parametrize(
    ("ours_s", "took_s", "apart_s"),
    [
        (0.0, 0.0, 0),
        (0.9, 0.1, 0),  # the receiver's second had gone on as well
        (1.9, 0.5, 0),
        (-0.5, 3.0, 0),  # the answer took long: it may have been written at any moment of it
        (10.0, 0.1, 8),
        (-10.0, 0.1, -9.9),
        (700.0, 0.0, 698),
    ],
)
def test_one_clock_is_never_told_to_be_two(ours_s: float, took_s: float, apart_s: float) -> None:
    asked = NOON + timedelta(seconds=ours_s)
    date = format_datetime(NOON, usegmt=True)
    gap = clocks_apart(date, asked=asked, heard=asked + timedelta(seconds=took_s))
    assert gap == timedelta(seconds=apart_s)


@pytest.mark.contract("D4")
def test_the_row_tells_a_gap_only_where_there_is_one() -> None:
    assert clock_row(timedelta()).what == "our clock and the receiver's show the same time"
    assert clock_row(timedelta(seconds=-40)).what.endswith("40 s apart")
    late = clock_row(timedelta(minutes=-6))
    assert (str(late.level), late.what) == ("yellow", "our clock is 6 min behind the receiver's")
    assert clocks_apart("yesterday", asked=NOON, heard=NOON) is None


@pytest.mark.parametrize("sign", [1, -1])
def test_clocks_may_be_so_far_apart(sign: int) -> None:
    assert clock_row(timedelta(seconds=sign * FURTHEST_CLOCK_S)).level is Level.GREEN
    far = clock_row(timedelta(seconds=sign * (FURTHEST_CLOCK_S + 1)))
    assert (far.level, far.fix[0]) == (Level.YELLOW, "timedatectl status")
