"""Columns of a table for people: below one another, whatever is in them."""

from dce_play.system.cells import aligned, width


def test_columns_begin_or_end_below_one_another_and_empty_ones_take_no_room() -> None:
    rows = [("ai", "", "7 B", "good"), ("postgres", "", "12345 B", "")]
    assert aligned(rows, right={2}) == ["ai            7 B  good", "postgres  12345 B"]


def test_wide_characters_take_two_cells() -> None:
    first, second = aligned([("日本", "x"), ("abc", "x")])
    assert width(first) == width(second) == 7


def test_of_no_rows_there_is_nothing() -> None:
    assert aligned([]) == []
