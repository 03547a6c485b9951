"""Values by shape."""

from contextlib import suppress
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any, Literal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dce_play.playbook.types.coerce import WrongValue, from_text, to_python
from dce_play.playbook.types.shapes import fields_of, shape_of
from dce_play.playbook.types.values import SecretReference
from dce_play.plugin import Duration, Info, Size
from dce_play.snowflake import ChannelId
from dce_play.system.quantities import parse_duration, parse_size, show_duration

_FOLDER = Path("/folder")


class _Colour(StrEnum):
    RED = "red"
    BLUE = "blue"


@dataclass(frozen=True)
class _Inner:
    name: str
    count: int = 1


@pytest.mark.parametrize(
    ("hint", "value", "made"),
    [
        (str, "a", "a"),
        (float, 1, 1),
        (Path, "a/b", Path("/folder/a/b")),
        (Path, "/a", Path("/a")),
        (Path | None, None, None),
        (Duration, "1h30m", 5400.0),
        (Size, "64MiB", 64 << 20),
        (ChannelId, "123", "123"),
        (_Colour, "red", _Colour.RED),
        (Literal["a", "b"], "b", "b"),
        (tuple[int, ...], [1, 2], (1, 2)),
        (frozenset[str], ["a"], frozenset({"a"})),
        (dict[str, Path], {"x": "y"}, {"x": Path("/folder/y")}),
        (_Inner, {"name": "a"}, _Inner("a", 1)),
        (list[_Inner], [{"name": "a", "count": 2}], [_Inner("a", 2)]),
        (str, SecretReference("env:X"), "env:X"),
        (Any, {"x": [1]}, {"x": [1]}),
    ],
)
def test_a_plain_value_becomes_what_the_hint_promises(hint: Any, value: Any, made: object) -> None:
    assert to_python(value, shape_of(hint), folder=_FOLDER) == made


@pytest.mark.parametrize(
    ("hint", "value"),
    [
        (str, 1),
        (int, True),
        (int, 1.5),
        (bool, "true"),
        (Path, None),
        (Duration, "soon"),
        (Duration, "1h 30m"),
        (Size, "64MB!"),
        (ChannelId, 123),
        (ChannelId, "general"),
        (_Colour, "green"),
        (list[int], ["a"]),
        (_Inner, {"nmae": "a"}),
        (_Inner, {}),
        (int, SecretReference("env:X")),
        (Annotated[int, Info(help="", minimum=1)], 0),
        (Annotated[str, Info(help="", pattern="^a")], "b"),
    ],
)
def test_what_does_not_fit_is_refused(hint: Any, value: Any) -> None:
    with pytest.raises(WrongValue):
        to_python(value, shape_of(hint), folder=_FOLDER)


def test_a_hint_that_no_playbook_can_write_is_told() -> None:
    with pytest.raises(TypeError, match="complex"):
        shape_of(complex)


def test_fields_know_whether_they_are_required() -> None:
    assert {each.name: (each.required, each.default) for each in fields_of(_Inner)} == {
        "name": (True, None),
        "count": (False, 1),
    }


@given(st.integers(0, 10**9))
def test_a_duration_that_we_show_is_one_that_we_read(seconds: int) -> None:
    assert parse_duration(show_duration(seconds)) == pytest.approx(seconds, rel=0.01, abs=0.5)


@given(st.integers(0, 2**50), st.sampled_from([("KiB", 1 << 10), ("MB", 10**6), ("", 1)]))
def test_a_size_is_its_number_times_its_unit(number: int, unit: tuple[str, int]) -> None:
    assert parse_size(f"{number}{unit[0]}") == number * unit[1]


@given(st.text(max_size=12), st.sampled_from([str, int, float, bool, Duration, Size, ChannelId, list[int]]))
def test_any_text_gives_a_value_or_is_refused_in_words(text: str, hint: Any) -> None:
    with suppress(WrongValue):
        value = from_text(text, shape_of(hint))
        assert value == value  # noqa: PLR0124 - NaN is not equal to itself, and no value of ours


@pytest.mark.parametrize(
    ("hint", "text"), [(list[str], "[1,"), (list[str], "[a"), (int, "1_000"), (int, "\u0663"), (float, "1_0.5")]
)
def test_text_that_only_python_would_read_is_refused(hint: Any, text: str) -> None:
    with pytest.raises(WrongValue):
        from_text(text, shape_of(hint))
