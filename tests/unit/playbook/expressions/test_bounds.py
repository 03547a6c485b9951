"""Every operator, filter and depth of expressions is bounded, and a refusal has its place."""

import time
from contextlib import suppress

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dce_play.playbook.expressions.bounds import MAX_DEPTH, MAX_LENGTH, MAX_VALUES, OutOfBounds, measure
from dce_play.playbook.expressions.filters import EXPECTED_FAILURES, FILTERS
from dce_play.playbook.expressions.inference import infer
from dce_play.playbook.expressions.sandbox import UndefinedError, evaluate
from dce_play.playbook.types.shapes import ANY

pytestmark = pytest.mark.contract("F-B1")

TOO_DEEP = {
    "sums": "1" + "+1" * 990,
    "filters": "1" + "|int" * 490,
    "items": "[[1]]" + "[0]" * 600,
    "keys": "env" + ".a" * 900,
    "signs": "-" * 900 + "1",
    "not": "not " * 450 + "true",
    "and": "true" + " and true" * 190,
    "brackets": "(" * 500 + "1" + ")" * 500,
    "lists": "[" * 300 + "]" * 300,
    "mappings": "{'a':" * 300 + "1" + "}" * 300,
    "choices": "1 if true else " * 120 + "1",
    "calls": "range(1)" + "()" * 300,
}
TOO_LARGE = [
    "[1] | batch(300000000, 0)",
    "[[1]] | map('batch', 99999999, 0) | list",
    "5 | round(-100000000)",
    "5 | round(400, 'ceil')",
    "[1] | map('round', -99999999) | list",
    "1e400",
    "1e400 | string",
    "1e308 * 10",
    "'1e999' | float",
    "'nan' | float",
    "'1e999' | fromjson",
    "'NaN' | fromjson",
    f"'{'[' * 1900}' | fromjson",
    "9" * 1900,
    "2 ** 64 ** 64",
    "2 ** 300",
    "range(10 ** 30)",
    "[[1], [2]] | sum(start=[])",
    "text * 3",
    "text ~ text",
    "text | replace('', 'abc')",
    "many | map('replace', 'a', text) | list",
    "many + many",
    "text | split('a')",
]


@pytest.mark.parametrize("kind", TOO_DEEP)
def test_a_chain_that_is_too_deep_is_refused_with_its_place(kind: str) -> None:
    text = TOO_DEEP[kind]
    diagnostics = infer(text, {"env": ANY}).diagnostics
    assert [diagnostic.rule for diagnostic in diagnostics] == ["E205"]
    assert 0 <= diagnostics[0].offset < len(text)
    with pytest.raises(OutOfBounds, match=f"nested at most {MAX_DEPTH} deep"):
        evaluate(text, {"env": {}})


def test_an_expression_that_is_too_long_is_refused() -> None:
    assert evaluate(f"'{'a' * (MAX_LENGTH - 2)}'", {}) == "a" * (MAX_LENGTH - 2)
    with pytest.raises(OutOfBounds, match=f"at most {MAX_LENGTH} characters"):
        evaluate(f"'{'a' * (MAX_LENGTH - 1)}'", {})


@pytest.mark.parametrize("text", TOO_LARGE, ids=lambda text: text[:40])
def test_what_would_be_too_large_is_refused_at_once(text: str) -> None:
    names = {"text": "a" * (1 << 20), "many": ["a" * 30] * 100_000}
    begun = time.process_time()
    with pytest.raises((OutOfBounds, *EXPECTED_FAILURES)):
        evaluate(text, names)
    assert time.process_time() - begun < 5


def test_work_adds_up_over_one_evaluation_and_begins_anew_with_the_next() -> None:
    many = ["a" * 1000] * 10_000
    for _ in range(3):
        assert evaluate("many | map('upper') | first", {"many": many[:100]}) == "A" * 1000
        with pytest.raises(OutOfBounds, match="on its way"):
            evaluate("many | map('upper') | first", {"many": many})


def test_a_value_that_refers_to_one_part_many_times_counts_it_each_time() -> None:
    value: list[object] = []
    for _ in range(40):
        value = [value, value]
    with pytest.raises(OutOfBounds, match=str(MAX_VALUES)):
        measure(value)
    with pytest.raises(OutOfBounds):
        evaluate("value | tojson", {"value": value})


def test_a_choice_has_a_place_although_jinja_gives_its_parts_none() -> None:
    found = infer("2000000 if item == 'k1' else 10", {"item": ANY})
    assert found.diagnostics == []
    assert [diagnostic.offset for diagnostic in found.bool_diagnostics] == [0]


def test_bounds_leave_room_for_what_people_write() -> None:
    assert evaluate(" ~ ".join(["'a'"] * 200), {}) == "a" * 200
    assert evaluate("1" + " + 1" * 40, {}) == 41
    assert evaluate("range(100) | batch(3, 0) | map('sum') | list | length", {}) == 34
    assert evaluate("1234.5678 | round(2)", {}) == 1234.57
    assert evaluate("[1, 2.5] | sum", {}) == 3.5
    assert evaluate("[{'a': 1}, {'a': 2}] | sum(attribute='a')", {}) == 3


_NUMBERS = st.sampled_from(["0", "-1", "1", "3", "99999999", "-100000000", "1e308", "10 ** 30"])
_VALUES = st.sampled_from(["5", "2.5", "'text'", "[1, 2]", "[[1], [2]]", "{'a': 1}", "text", "many", "true", "none"])


@settings(max_examples=400, deadline=None)
@given(value=_VALUES, name=st.sampled_from(sorted(FILTERS)), arguments=st.lists(_NUMBERS | _VALUES, max_size=3))
def test_no_filter_works_for_long_whatever_it_is_given(value: str, name: str, arguments: list[str]) -> None:
    text = f"{value} | {name}" + (f"({', '.join(arguments)})" if arguments else "")
    begun = time.process_time()
    with suppress(OutOfBounds, UndefinedError, *EXPECTED_FAILURES):
        evaluate(text, {"text": "ab" * 100_000, "many": ["ab" * 10] * 10_000})
    assert time.process_time() - begun < 3
