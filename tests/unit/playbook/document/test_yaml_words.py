"""What the YAML reader stumbles over is told with what to write instead, never in the reader's own words."""

from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dce_play.playbook.document.document import read_document
from dce_play.playbook.lint.file import inspect_file
from dce_play.source import Problem
from dce_play.steps import STEPS

READER = ("mapping values", "expected <", "block end", "flow", "scalar", "token", "node content", "<stream end>")


def problem(text: str) -> Problem:
    (only,) = read_document(Path("x.yml"), text.encode()).problems
    assert only.message.startswith("not YAML: ")
    return only


@pytest.mark.parametrize(
    ("text", "message", "hint", "place"),
    [
        (
            "name: Say: hello\n",
            "a second colon on one line reads as another key",
            "quote the text after the colon",
            (1, 10),
        ),
        ("a: {b: c: d}\n", "a second colon between { and }", "quote the text after the colon", (1, 9)),
        ("a: 1\n b: 2\n", "a key cannot stand below a value", "indent it like a, or remove that value", (2, 3)),
        ("key\nb: 1\n", "the line above has no colon", "write key: value", (2, 2)),
        ("a: [1, 2\n", "[ is not closed", "write ] where it ends, or quote the text", (1, 4)),
        ("a: [1}\n", "[ is closed by }", "write ]", (1, 6)),
        ("b: 1\na: 'x\n", "a quote is not closed", "close it where the text ends", (2, 4)),
        ("a: @x\n", "text cannot begin with @", "quote it", (1, 4)),
        ('a: "\\q"\n', "\\q means nothing between these quotes", "use single quotes, or write \\\\", (1, 6)),
        ("a: - b\n", "a list cannot begin behind a key", "begin it on the next line", (1, 4)),
        ("a: |x\n  y\n", "text stands beside | or >", "begin it on the next line, or quote it", (1, 5)),
        (
            "a: 'it's'\n",
            "text goes on after its closing quote",
            "quote the whole text, with quotes that are not in it",
            (1, 8),
        ),
        (
            "a:\n  - x\n y: 1\n",
            "this is not indented like what it belongs to",
            "give it as many spaces as its neighbours",
            (3, 2),
        ),
    ],
)
def test_a_broken_place_is_told_with_what_to_write(text: str, message: str, hint: str, place: tuple[int, int]) -> None:
    found = problem(text)
    assert (found.message, found.hint) == (f"not YAML: {message}", hint)
    assert (found.span.line, found.span.column) == place


@settings(max_examples=300, deadline=None)
@given(
    st.lists(st.sampled_from(["a: ", "- ", "[", "]", "{", "}", ", ", ": ", "'", '"', "x", "\n", "  ", "|", "@", "`"]))
)
def test_the_readers_own_words_never_come_out(parts: list[str]) -> None:
    for each in read_document(Path("x.yml"), "".join(parts).encode()).problems:
        assert not [words for words in READER if words in each.message], each


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("name: a\nsteps:\n  - report.say: 3\n", "3 is not a mapping"),
        ("name: a\nparams: {a: 3}\nsteps: [{report.say: {text: x}}]\n", "3 is not a mapping"),
        (
            "name: a\nsteps: [{scrape.run: {target: a, media: foo}}]\n",
            '"foo" is not one of "", off, attachments, all',
        ),
    ],
)
def test_the_schema_checkers_own_words_never_come_out(text: str, message: str) -> None:
    assert message in [each.message for each in inspect_file(Path("/x.yml"), text.encode(), steps=STEPS).problems]


def test_what_is_no_json_schema_is_told_in_our_words(tmp_path: Path) -> None:
    found = inspect_file(tmp_path / "a.schema.json", b'{"properties": [1]}', steps=STEPS).problems
    assert [each.message for each in found] == ["not a JSON Schema: a list is not a mapping"]
