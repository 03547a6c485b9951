"""Values by shape."""

from contextlib import suppress
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any, Literal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dce_play.playbook.types.coerce import WrongValue, check, from_text, to_python
from dce_play.playbook.types.shapes import SECRET, fields_of, shape_of
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
    found = to_python(value, shape_of(hint), folder=_FOLDER)
    assert (found, type(found)) == (made, type(made))


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


def limited(hint: Any, **limits: Any) -> Any:
    return Annotated[hint, Info(help="", **limits)]


@pytest.mark.parametrize(
    ("hint", "text", "meant"),
    [
        *((bool, text, True) for text in ("true", "YES", "on", "1")),
        *((bool, text, False) for text in ("False", "no", "off", "0")),
        *((int | None, text, None) for text in ("", "null")),
        (int | None, "4", 4),
        (str | None, "", ""),
        (str | None, "null", "null"),
        (int, "-3", -3),
        (float, "1.5", 1.5),
        (list[int], "1, 2,,3", [1, 2, 3]),
        (list[str], "a, b c", ["a", "b c"]),
        (list[int], " [1, 2]", [1, 2]),
        (list[bool], "yes,0", [True, False]),
        (list[Duration], "1h,2s", [3600.0, 2.0]),
        (list[Duration], '["1h"]', [3600.0]),
        (dict[str, int], '{"a": 1}', {"a": 1}),
        (Any, "[1]", [1]),
        (Any, "word", "word"),
        (Path, "a/b", "a/b"),
        (Duration, "1h", 3600.0),
        (Size, "1KiB", 1024),
        (ChannelId, "123", "123"),
    ],
)
def test_text_means_what_the_hint_promises(hint: Any, text: str, meant: object) -> None:
    assert from_text(text, shape_of(hint)) == meant


def test_a_secret_is_only_ever_a_reference() -> None:
    for made in (
        from_text("env:TOKEN", SECRET),
        check("env:TOKEN", SECRET),
        check(SecretReference("env:TOKEN"), SECRET),
    ):
        assert isinstance(made, SecretReference)
        assert made.reference == "env:TOKEN"
    for itself in ("hunter2", "env:", 3):
        with pytest.raises(WrongValue) as caught:
            check(itself, SECRET)
        assert str(caught.value) == "a secret is given as env:NAME, file:PATH or keyring:NAME, never as itself"


@pytest.mark.parametrize(
    ("hint", "text", "why"),
    [
        (bool, "maybe", '"maybe" is not a bool: write true, false, yes, no, on, off, 1 or 0'),
        (list[int], '[1, "a"]', '"a" is not a whole number'),
        (list[str], "[1", '"[1" is not a list: write a,b or JSON'),
        (int, "1.5", '"1.5" is not a whole number'),
        (float, "many", '"many" is not a number'),
        (float, "inf", '"inf" is not a number'),
        (limited(int, minimum=1), "0", "0 is below 1"),
        (limited(float, maximum=1), "1.5", "1.5 is above 1"),
        (int, "é" * 58, f'"{"é" * 58}" is not a whole number'),
        (int, "é" * 59, f'"{"é" * 56}… is not a whole number'),
    ],
)
def test_text_that_does_not_fit_is_refused_with_the_reason(hint: Any, text: str, why: str) -> None:
    with pytest.raises(WrongValue) as caught:
        from_text(text, shape_of(hint))
    assert str(caught.value) == why


@pytest.mark.parametrize(
    ("hint", "value", "why"),
    [
        (str, 1, "1 is not text"),
        (str, Path("/a"), "\"PosixPath('/a')\" is not text"),
        (float, True, "true is not a number"),
        (int, SecretReference("env:X"), "a secret cannot be a whole number"),
        (list[int], [1, "a"], '1: "a" is not a whole number'),
        (dict[str, int], {"x": "y"}, 'x: "y" is not a whole number'),
        (_Inner, {"nmae": "a"}, 'there is no "nmae"'),
        (_Inner, {}, '"name" is missing'),
        (_Inner, {"name": 1}, "name: 1 is not text"),
        (ChannelId, "general", '"general" is not a snowflake, which is all digits'),
        (_Colour, "green", '"green" is not one of red, blue'),
        (Duration, "soon", '"soon" is not a duration such as 90s, 10m, 12h or 2d'),
        (limited(int, minimum=1), 0, "0 is below 1"),
        (limited(int, maximum=3), 4, "4 is above 3"),
        (limited(str, pattern="^a"), "b", '"b" does not match ^a'),
        (list[_Inner], [{"name": "a"}, {}], '1: "name" is missing'),
    ],
)
def test_what_does_not_fit_is_refused_with_place_and_reason(hint: Any, value: Any, why: str) -> None:
    with pytest.raises(WrongValue) as caught:
        to_python(value, shape_of(hint), folder=_FOLDER)
    assert str(caught.value) == why


@pytest.mark.parametrize(("limits", "value"), [({"minimum": 1}, 1), ({"maximum": 3}, 3), ({"pattern": "a$"}, "ba")])
def test_a_limit_itself_is_within(limits: dict[str, Any], value: Any) -> None:
    assert to_python(value, shape_of(limited(type(value), **limits)), folder=_FOLDER) == value


@dataclass(frozen=True)
class _Placed:
    path: Path


def test_paths_are_below_the_folder_however_deep_they_lie() -> None:
    assert to_python([["a"]], shape_of(list[list[Path]]), folder=_FOLDER) == [[Path("/folder/a")]]
    assert to_python({"path": "a"}, shape_of(_Placed), folder=_FOLDER) == _Placed(Path("/folder/a"))


def test_nothing_is_checked_as_nothing_only_where_it_may_be() -> None:
    assert check(None, shape_of(int | None)) is None
    assert check(None, shape_of(Any)) is None
    with pytest.raises(WrongValue, match="null is not"):
        check(None, shape_of(int))
