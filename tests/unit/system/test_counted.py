"""How a number stands before its noun."""

import pytest

from dce_play.system.counted import counted, in_number


@pytest.mark.parametrize(
    ("count", "text"), [(0, "0 episodes"), (1, "1 episode"), (2, "2 episodes"), (1200, "1200 episodes")]
)
def test_one_is_told_as_one(count: int, text: str) -> None:
    assert counted(count, "episode") == text


def test_a_noun_may_have_a_plural_of_its_own() -> None:
    assert [counted(count, "map entry", "map entries") for count in (1, 3)] == ["1 map entry", "3 map entries"]
    assert [in_number(count, "is", "are") for count in (0, 1)] == ["are", "is"]


def test_thousands_are_grouped_where_that_is_asked_for() -> None:
    assert counted(12_000, "message", grouped=True) == "12,000 messages"
