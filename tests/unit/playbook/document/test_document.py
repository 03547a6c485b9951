"""Reading YAML and JSON: values, places, and the traps."""

import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dce_play.playbook.document import compose
from dce_play.playbook.document.document import Reading, load_document, pack_reading, read_document, unpack_reading
from dce_play.source import InvalidDocument, JsonValue, Severity

_YAML = Path("/work.yml")
_JSON = Path("/work.json")

json_values = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**53), 2**53) | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(min_size=1, max_size=8), inner, max_size=4),
    max_leaves=15,
)


def _read(text: str, path: Path = _YAML) -> Reading:
    return read_document(path, text.encode())


def _rules(text: str) -> list[str]:
    return [problem.rule for problem in _read(text).problems]


@given(json_values)
def test_json_means_the_same_here_as_to_a_json_reader(value: JsonValue) -> None:
    if isinstance(value, dict) and any("{{" in key or key == "<<" for key in value):
        return
    reading = _read(json.dumps(value), _JSON)
    assert [each for each in reading.problems if each.rule != "E104"] == []
    assert reading.document.value == value


@given(json_values)
def test_a_reading_survives_the_cache(value: JsonValue) -> None:
    data = json.dumps(value).encode()
    reading = read_document(_JSON, data)
    again = unpack_reading(_JSON, data, json.loads(json.dumps(pack_reading(reading))))
    assert again == reading


def test_what_is_no_reading_counts_as_missing() -> None:
    odd_ones: list[JsonValue] = [
        None,
        [],
        {},
        {"problems": 1, "unreadable": []},
        {"problems": [], "unreadable": [], "document": {}},
    ]
    for odd in odd_ones:
        assert unpack_reading(_YAML, b"", odd) is None


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("yes", "yes"),
        ("0755", "0755"),
        ("0o17", 15),
        ("0x1F", 31),
        ("1_000", "1_000"),
        ("12:30", "12:30"),
        ("2026-11-21", "2026-11-21"),
        ("1573508731788951644", "1573508731788951644"),
        ("9007199254740992", 2**53),
        ("-9007199254740992", -(2**53)),
        ("9007199254740993", "9007199254740993"),
        ("-9007199254740993", "-9007199254740993"),
        ("0x20000000000000", 2**53),
        ("0x20000000000001", "0x20000000000001"),
        ("0o400000000000000000", 2**53),
        ("0o400000000000000001", "0o400000000000000001"),
        ("9" * 5000, "9" * 5000),
        ("0." + "1" * 398, float("0." + "1" * 398)),
        ("0." + "1" * 399, "0." + "1" * 399),
        ("1e400", "1e400"),
        (".inf", ".inf"),
        ("~", None),
        ("True", True),
        ("3.5", 3.5),
        ("-1", -1),
        ("'1'", "1"),
        ('"\\ud83d\\ude00"', "😀"),
    ],
)
def test_a_scalar_is_what_yaml_1_2_says_or_stays_text(text: str, value: JsonValue) -> None:
    assert _read(f"a: {text}").document.value == {"a": value}


def test_places_count_from_one_in_characters() -> None:
    document = _read('a: "😀"\nb:\n  - c: [x, yy]\n').document
    assert str(document.key_span(("b", 0, "c"))) == "/work.yml:3:5"
    span = document.value_span(("b", 0, "c", 1))
    assert (span.line, span.column, span.end_line, span.end_column) == (3, 12, 3, 14)
    assert document.value_span(("a",)).end_column == 7


def test_a_line_separator_of_unicode_is_no_new_line() -> None:
    assert _read('a: "x\u2028y"\nb: 1\n').document.key_span(("b",)).line == 2


@pytest.mark.parametrize(
    ("text", "rules"),
    [
        ("a: {{ b }}\n", ["E104"]),
        ("a: {{ b }} c\nd: {{ e }} f\n", ["E104", "E104"]),
        ("a: [{{ b }}]\n", ["E104"]),
        ("{{ a }}: b\n", ["E104"]),
        ("a: 1\na: 2\n", ["E002"]),
        ("a: !x 1\n", ["E004"]),
        ("a: &a {b: 1}\nc:\n  <<: *a\n", ["E004"]),
        ("a: *b\n", ["E004"]),
        ("a: &a [*a]\n", ["E004"]),
        ("? [a]\n: b\n", ["E004"]),
        ("%YAML 1.1\n---\na: 1\n", ["E004"]),
        ("a: 1\n---\nb: 2\n", ["E001"]),
        ("a: 'b\n", ["E001"]),
        ("\ufeffa: 1\n", ["E001"]),
        ("a:\n\t- b\n", ["E003"]),
        ("", []),
    ],
)
def test_a_trap_is_one_problem_each(text: str, rules: list[str]) -> None:
    assert _rules(text) == rules


def test_an_alias_bomb_is_refused_quickly() -> None:
    lines = ["a0: &a0 [x, x, x, x, x, x, x, x, x, x]"]
    lines += [f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 10)}]" for n in range(1, 12)]
    assert _rules("\n".join(lines)) == ["E004"]


def test_a_file_nested_without_end_is_refused() -> None:
    assert _rules("a: " + "[" * 200 + "]" * 200) == ["E004"]


@pytest.mark.contract("F-B2")
@pytest.mark.parametrize("piece", ["[", "{", "{{ ", "{? ", "[a: ", "{a: "])
def test_brackets_too_deep_are_told_where_the_first_too_many_stands(piece: str) -> None:
    (problem,) = read_document(_YAML, ("a:\n  " + piece * 100).encode()).problems
    column = 3 + [at for at, character in enumerate(piece * 100) if character in "[{"][compose.MAX_DEPTH]
    assert (problem.rule, problem.message) == ("E004", "the document is too deep")
    assert (problem.span.line, problem.span.column) == (2, column)


def test_a_file_of_too_many_values_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(compose, "MAX_NODES", 100)
    assert _rules(f"[{', '.join('1' * 90)}]") == []
    assert _rules(f"[{', '.join('1' * 110)}]") == ["E004"]


def test_bytes_that_are_not_utf_8_are_told_with_their_place() -> None:
    problems = read_document(_YAML, b"a: 1\nb: \xff\n").problems
    assert [(each.rule, each.span.line, each.span.column) for each in problems] == [("E001", 2, 4)]


def test_of_a_file_without_end_only_the_beginning_is_read() -> None:
    with pytest.raises(InvalidDocument, match="larger than 8 MiB"):
        load_document(Path("/dev/zero"))


def test_a_number_of_thousands_of_digits_is_text() -> None:
    digits = "1" * 5000
    assert _read(f'{{"a": {digits}}}', _JSON).document.value == {"a": digits}


def test_json_files_are_read_strictly() -> None:
    (problem,) = _read('{"a": 1,\n}', _JSON).problems
    assert problem.span.line in {1, 2}  # the comma's, from Python 3.13 on; before, the bracket's
    assert _read('{\t"a":\t1573508731788951644}', _JSON).document.value == {"a": "1573508731788951644"}


def test_loading_raises_with_every_problem_and_the_text(tmp_path: Path) -> None:
    path = tmp_path / "a.yml"
    path.write_text("a: 1\na: 2\nb: !x 1\nc: yes\n", encoding="utf-8")
    with pytest.raises(InvalidDocument) as caught:
        load_document(path)
    assert [each.rule for each in caught.value.problems] == ["E002", "E004"]
    assert caught.value.texts[path].startswith("a: 1")


def test_warnings_do_not_stop_loading(tmp_path: Path) -> None:
    path = tmp_path / "a.yml"
    path.write_text("c: yes\n", encoding="utf-8")
    assert load_document(path).value == {"c": "yes"}


@given(st.text(alphabet="ab:-{}[]\"'\n #&*!|>%@\t{{}}", max_size=40))
def test_no_text_makes_the_reader_fail(text: str) -> None:
    reading = _read(text)
    lines = reading.document.text.split("\n")
    assert all(1 <= each.span.line <= len(lines) + 1 for each in reading.problems)
    assert all(each.severity in Severity for each in reading.problems)
