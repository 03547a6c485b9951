"""Texts that an expression may give as they stand, each with where it is written."""

import pytest

from dce_play.playbook.expressions.possible_texts import possible_texts


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("'stop'", [("stop", 0)]),
        ("'continue' if params.a else 'stop'", [("continue", 0), ("stop", 28)]),
        ("params.word or 'stop'", [("stop", 15)]),
        ("params.word", []),
        ("'a' ~ 'b'", []),
        ("'a' if params.x == 'y' else params.word", [("a", 0)]),
        ("'a' if", []),
    ],
)
def test_only_texts_that_can_be_the_value_are_found(text: str, found: list[tuple[str, int]]) -> None:
    assert list(possible_texts(text)) == found
