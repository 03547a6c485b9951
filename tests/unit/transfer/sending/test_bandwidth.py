"""Limits by the time of day, and the pace that keeps them."""

from datetime import datetime

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dce_play.transfer.sending.bandwidth import Pacer, Timetable, parse_limit


class Clock:
    """A stopwatch that only sleeping moves."""

    def __init__(self) -> None:
        self.at = 0.0

    def now(self) -> datetime:
        raise NotImplementedError

    def monotonic(self) -> float:
        return self.at

    def sleep(self, seconds: float) -> None:
        self.at += seconds


def at(hour: int, minute: int = 0) -> datetime:
    return datetime(2026, 11, 28, hour, minute)  # noqa: DTZ001 - local time is what a timetable means


@pytest.mark.contract("S16")
def test_the_entry_in_force_is_the_last_one_that_has_begun() -> None:
    table = parse_limit("08:00,512KiB 19:00,off 12:30,1MiB")
    moments = [at(7, 59), at(8), at(12, 29), at(12, 30), at(18, 59), at(19), at(23, 59), at(0)]
    assert [table.limit_at(each) >> 10 for each in moments] == [0, 512, 512, 1024, 1024, 0, 0, 0]


@pytest.mark.parametrize(("text", "limit"), [("0", 0), ("off", 0), ("5", 5), ("1MiB", 1 << 20)])
def test_a_bare_size_is_the_limit_all_day(text: str, limit: int) -> None:
    assert parse_limit(text) == Timetable(((0, limit),))


@pytest.mark.parametrize("text", ["", "x", "8:00,1", "24:00,1", "08:00", "08:00,x", "08:00,1 08:00,2", "1 2"])
def test_what_is_no_timetable_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r"."):
        parse_limit(text)


@pytest.mark.contract("S16")
@settings(deadline=None, max_examples=50)
@given(st.integers(10, 1 << 21), st.lists(st.integers(1, 1 << 19), min_size=1, max_size=5))
def test_any_two_seconds_see_at_most_twice_the_limit_and_a_piece(limit: int, sizes: list[int]) -> None:
    clock = Clock()
    pacer = Pacer(Timetable(((0, limit),)), clock=clock, local=lambda: at(1))
    went: list[tuple[float, int]] = []
    for size in sizes:
        pieces = pacer.pieces(bytes(min(size, 4 * limit)), lambda _: None)
        went.extend((clock.at, len(piece)) for piece in pieces)
    for start, _ in went:
        assert sum(size for when, size in went if start <= when < start + 2) <= 2 * limit + max(1, limit // 32) + 1
