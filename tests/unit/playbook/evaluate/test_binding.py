"""Expressions at run time: values, types, unknowns, secrets and bounds."""

from contextlib import suppress
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from jinja2 import TemplateSyntaxError

from dce_play.playbook.evaluate.binding import EvaluationFailed, evaluate, evaluate_text, holds
from dce_play.playbook.language.model import Expression, Fields, Items, Literal, Text
from dce_play.playbook.types.values import SecretReference, plain, registered
from dce_play.plugin import UNKNOWN
from dce_play.source import JsonValue, Span

_SPAN = Span(path=Path("a.yml"), line=3, column=5, end_line=3, end_column=9)
_NAMES: dict[str, object] = {
    "params": {"full": True, "none": None, "token": SecretReference("env:TOKEN"), "items": [1, 2]},
    "targets": [{"name": "lab", "size": 2}, {"name": "den", "size": 3}],
    "channel": "123456789012345678",
    "result": {"count": 3},
    "before": registered({"snapshot": UNKNOWN, "count": 3}, status="ok", changed=UNKNOWN, summary=""),
}


def _expression(text: str) -> Expression:
    return Expression(text, _SPAN)


def _value(text: str) -> object:
    return evaluate(_expression(text), _NAMES)


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("channel", "123456789012345678"),
        ("targets | map(attribute='name')", ["lab", "den"]),
        ("targets | selectattr('size', 'gt', 2) | first", {"name": "den", "size": 3}),
        ("params.items", [1, 2]),
        ("result.count + 1", 4),
        ("channel[:3]", "123"),
        ("params.none | default(7)", 7),
        ("params.gone is defined", False),
        ("'a' ~ 1 ~ true", "a1true"),
        ("{'a': 1} | tojson", '{"a": 1}'),
        ("'10m' | seconds", 600.0),
        ("'64MiB' | bytes", 67108864),
        ("range(3)", [0, 1, 2]),
        ("'ü' | tojson", '"ü"'),
    ],
)
def test_an_expression_keeps_its_type(text: str, value: object) -> None:
    found = _value(text)
    assert found == value
    assert type(found) is type(value)


@pytest.mark.parametrize(
    "text",
    [
        "before",
        "before.snapshot",
        "before.snapshot == 'x'",
        "before.snapshot is defined",
        "before.snapshot | default(1)",
        "[before.snapshot]",
        "'a' ~ before.snapshot",
        "before.changed and true",
        "not before.changed",
    ],
)
def test_what_is_unknown_stays_unknown(text: str) -> None:
    assert _value(text) is UNKNOWN


def test_what_does_not_need_the_unknown_is_known() -> None:
    assert _value("false and before.changed") is False
    assert _value("before.count") == 3
    assert evaluate_text(Text(("at ", _expression("before.snapshot")), _SPAN), _NAMES) == "at <known after apply>"


@pytest.mark.parametrize(
    ("text", "rule"),
    [
        ("params.token ~ 'x'", "E223"),
        ("params.token == 'x'", "E223"),
        ("params.token | length", "E223"),
        ("params.token[0]", "E223"),
        ("params.token | tojson", "E223"),
        ("10 ** 1000", "E205"),
        ("2 ** 64 ** 64", "E205"),
        ("'a' * 10 ** 9", "E226"),
        ("'%s' % 1", "E226"),
        ("[1] * 5", "E226"),
        ("range(10 ** 9)", "E226"),
        ("'x' | int", "E226"),
        ("targets ~ ''", "E226"),
        ("''.__class__", "E211"),
        ("targets.append(1)", "E211"),
        ("params.items()", "E226"),
        ("nothing", "E211"),
        ("1 / 0", "E226"),
    ],
)
def test_what_may_not_be_done_fails_with_its_rule_and_place(text: str, rule: str) -> None:
    with pytest.raises(EvaluationFailed) as caught:
        _value(text)
    assert (caught.value.problem.rule, caught.value.problem.span) == (rule, _SPAN)


def test_a_text_that_grows_is_stopped() -> None:
    with pytest.raises(EvaluationFailed):
        _value("'aa'" + " | replace('a', 'aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa')" * 6)


@pytest.mark.parametrize("value", [None, 0, "", "true", [], {}])
def test_a_condition_that_is_no_bool_fails(value: JsonValue) -> None:
    with pytest.raises(EvaluationFailed) as caught:
        holds((_expression("x"),), {"x": value})
    assert caught.value.problem.rule == "E221"


def test_conditions_hold_together() -> None:
    names = {"yes": True, "no": False, **_NAMES}
    assert holds((_expression("yes"), _expression("yes")), names) is True
    assert holds((_expression("yes"), _expression("no"), _expression("before.changed")), names) is False
    assert holds((_expression("before.changed"),), names) is UNKNOWN
    assert holds((), names) is True


@given(st.recursive(st.none() | st.booleans() | st.integers() | st.text(), lambda each: st.lists(each, max_size=3)))
def test_a_value_comes_through_as_it_is(value: JsonValue) -> None:
    assert evaluate(_expression("x"), {"x": value}) == value
    assert evaluate(Items((_expression("x"), Literal(1, _SPAN)), _SPAN), {"x": value}) == [value, 1]
    assert evaluate(Fields({"a": _expression("x")}, _SPAN), {"x": value}) == {"a": value}


@given(st.text(alphabet="abx.[]()|'\"{}+*~, 019<>=", max_size=25))
def test_no_expression_does_anything_but_answer_or_fail_in_a_foreseen_way(text: str) -> None:
    with suppress(EvaluationFailed, TemplateSyntaxError):
        evaluate(_expression(text), {"a": 1, "b": [1], "x": {"a": "b"}})


def test_plain_data_has_no_python_objects_left() -> None:
    assert plain({"a": Path("/x"), "b": (1, {2}), "c": None}) == {"a": "/x", "b": [1, [2]], "c": None}


@pytest.mark.contract("F-B1")
def test_a_text_made_of_large_parts_is_refused() -> None:
    part = _expression("large")
    names = {"large": "x" * (1 << 19)}
    assert len(str(evaluate(Text(parts=(part, part), span=_SPAN), names))) == 1 << 20
    with pytest.raises(EvaluationFailed, match="text goes up to") as caught:
        evaluate(Text(parts=(part, part, "x"), span=_SPAN), names)
    assert caught.value.problem.rule == "E205"
