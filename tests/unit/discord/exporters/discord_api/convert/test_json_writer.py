"""Tests of JSON in DCE's bytes."""

import json
import unicodedata
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dce_play.discord.exporters.discord_api.convert.json_writer import JsonObject, quoted, rendered

GOLD = Path(__file__).parents[5] / "data" / "gold"


@pytest.mark.parametrize(
    ("text", "written"),
    [
        ("plain", '"plain"'),
        ("", '""'),
        ("<b>&amp;</b> it's 1+1 /", '"<b>&amp;</b> it\'s 1+1 /"'),
        ('say "so"', r'"say \"so\""'),
        ("back\\slash", r'"back\\slash"'),
        ("\n\r\t\b\f", r'"\n\r\t\b\f"'),
        ("\0\x1b\x7f\x85\x9f", r'"\u0000\u001B\u007F\u0085\u009F"'),
        ("\u00a0\u2003\u2028\u2029\u3000", r'"\u00A0\u2003\u2028\u2029\u3000"'),
        ("\ue000\uf8ff\ufffe\uffff\u0378", r'"\uE000\uF8FF\uFFFE\uFFFF\u0378"'),
        ("\U0001f600\U0010ffff\U00010000", r'"\uD83D\uDE00\uDBFF\uDFFF\uD800\uDC00"'),
        ("Çé 漢字 ✨ ❤\ufe0f", '"Çé 漢字 ✨ ❤\ufe0f"'),
        ("zero\u200bwidth\u200djoin\ufeff", '"zero\u200bwidth\u200djoin\\uFEFF"'),
        ("e\u0301 \u0e33", '"e\u0301 \u0e33"'),
        ("\ud83d alone", '"\ufffd alone"'),
        ("\ude00\ud83d", '"\ufffd\ufffd"'),
    ],
    ids=ascii,
)
@pytest.mark.contract("R-16.01", "R-16.08")
def test_texts_are_escaped_as_the_relaxed_encoder_does(text: str, written: str) -> None:
    assert quoted(text) == written


def reference(text: str) -> str:
    """Escape one character after the other, by the rule as it is told."""
    short = {"\b": "\\b", "\t": "\\t", "\n": "\\n", "\f": "\\f", "\r": "\\r", '"': '\\"', "\\": "\\\\"}
    written = []
    for character in text:
        category = unicodedata.category(character)
        if character in short:
            written.append(short[character])
        elif category == "Cs":
            written.append("\ufffd")
        elif (
            ord(character) > 0xFFFF
            or category in {"Cc", "Co", "Cn", "Zl", "Zp"}
            or (category == "Zs" and character != " ")
        ):
            units = character.encode("utf-16-be").hex().upper()
            written.extend(f"\\u{units[index : index + 4]}" for index in range(0, len(units), 4))
        else:
            written.append(character)
    return f'"{"".join(written)}"'


LATER = set("\u0897\u0cf3\u0ece\u1c89\u1c8a\u2ffc\u2ffd\u2ffe\u2fff\u31ef\ua7cb\ua7cc\ua7cd\ua7da\ua7db\ua7dc")


@given(st.text(st.characters(exclude_characters=LATER)))
def test_any_text_is_escaped_by_the_rule(text: str) -> None:
    assert quoted(text) == reference(text)


@given(st.text())
def test_any_text_reads_back_as_it_was(text: str) -> None:
    assert json.loads(quoted(text)) == text.encode("utf-16", "replace").decode("utf-16", "replace")


@given(st.text(st.characters(categories=["Cs", "L"])))
@pytest.mark.contract("R-16.08")
def test_halves_of_pairs_never_reach_the_file(text: str) -> None:
    quoted(text).encode("utf-8")


@pytest.mark.contract("F-D2")
def test_what_unicode_15_assigns_is_left_whatever_this_python_knows() -> None:
    assert quoted("\u0cf3\u0ece") == '"\u0cf3\u0ece"'
    for character in LATER - {"\u0cf3", "\u0ece"} | {"\ufeff"}:
        assert quoted(character) == f'"\\u{ord(character):04X}"'


VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(st.characters(exclude_categories=["Cs"])),
    lambda inner: (
        st.dictionaries(st.sampled_from("abcdef"), inner, max_size=4)
        | st.lists(st.dictionaries(st.sampled_from("abc"), inner, max_size=3), max_size=3)
    ),
    max_leaves=10,
)


@given(st.dictionaries(st.sampled_from("abcdef"), VALUES))
@pytest.mark.contract("R-16.01")
def test_any_object_has_the_indented_layout_and_reads_back(value: JsonObject) -> None:
    assert json.loads(rendered(value)) == value
    if all(ord(character) < 127 for character in repr(value)) and "\\" not in repr(value):
        assert rendered(value) == json.dumps(value, indent=2)


@pytest.mark.parametrize("world", ["stub-rich", "stub-th", "stub-empty", "sb-general"])
@pytest.mark.contract("R-16.01", "R-16.07")
def test_a_file_of_dce_is_written_again_byte_for_byte(world: str) -> None:
    data = (GOLD / world / "expected.json").read_bytes()

    assert rendered(json.loads(data)).encode() == data
