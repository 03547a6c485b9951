"""Text for a terminal."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dce_play.render.text import ASCII, UNICODE, amount, duration, one_line
from dce_play.system.foreign_text import clean


@given(st.text(alphabet=st.characters(codec=None), max_size=60))
def test_nothing_is_left_that_moves_the_cursor_or_turns_text(text: str) -> None:
    shown = clean(text)
    assert all(letter == "\n" or (ord(letter) >= 32 and not 127 <= ord(letter) <= 159) for letter in shown)
    assert not set(shown) & set("\u202e\u2066\u200f\u2028\ufeff")
    assert "\n" not in one_line(text)
    assert clean(shown) == shown


@pytest.mark.parametrize(
    ("nasty", "shown"),
    [
        ("\x1b[31mred\x1b[0m", "red"),
        ("\x1b]0;title\x07text", "text"),
        ("\x1b]8;;http://x\x1b\\link\x1b]8;;\x1b\\", "link"),
        ("over\rwritten", "overwritten"),
        ("a\tb", "a    b"),
        ("\x9b2Jcleared", "cleared"),
        ("bell\x07", "bell"),
        ("abc\u202edef", "abcdef"),
        ("é ✓ 漢字", "é ✓ 漢字"),
    ],
)
def test_escape_sequences_go_as_a_whole(nasty: str, shown: str) -> None:
    assert clean(nasty) == shown


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (0.04, "0.0 s"),
        (9.94, "9.9 s"),
        (10, "10 s"),
        (59.4, "59 s"),
        (60, "1 min 00 s"),
        (3599, "59 min 59 s"),
        (7500, "2 h 05 min"),
    ],
)
def test_durations_are_in_words(seconds: float, text: str) -> None:
    assert duration(seconds) == text


def test_amounts_are_easy_to_read() -> None:
    assert (amount(1234567.0), amount(2.5)) == ("1 234 567", "2.5")


def test_the_ascii_signs_are_ascii_and_each_sign_has_one() -> None:
    for name in ASCII.__slots__:
        assert getattr(ASCII, name).isascii()
        assert getattr(UNICODE, name)
