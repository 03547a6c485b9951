"""Whatever the YAML reader fails with becomes a problem with a place."""

from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dce_play.playbook.document.document import read_document
from dce_play.source import Severity

pytestmark = pytest.mark.contract("F-B2")

PIECES = st.sampled_from(
    [
        "%YAML 1.3\n---\n",
        "%YAML 2.0\n---\n",
        "%YAML 1.1\n",
        "%FOO\n---\n",
        "%TAG ! x\n---\n",
        "%TAG !e! tag:x\n---\n",
        "a: 1\n",
        "- ",
        "? ",
        ": ",
        "{",
        "}",
        "[",
        "]",
        "&a ",
        "*a",
        "!!",
        "!<x> ",
        "!e!y ",
        "|\n",
        "> \n",
        "|9\n",
        "|+-\n",
        '"\\U00110000"',
        '"\\xZZ"',
        '"\\ud800"',
        "'",
        '"',
        "#",
        "\t",
        "\n",
        "  ",
        "---\n",
        "...\n",
        ": :",
        "- - -",
        "<<: *a\n",
        "\x85",
        "\u2028",
        "\ufeff",
        "\x00",
        "\\",
        "%",
        "@",
        "`",
        ",",
        "é",
        "\U0001f600",
        "0x1F",
        "1e400",
        "~",
        "? {a: b}\n: c\n",
        "{{ x }}",
        "a: {{ x }}\n",
    ]
)


@pytest.mark.parametrize("line", ["%YAML 1.3", "%YAML 1.2 1.3", "%YAML 9.9", "%YAML x", "%YAML", "%"])
def test_a_directive_that_is_not_read_is_a_problem_with_its_place(line: str) -> None:
    problems = read_document(Path("/x.yml"), f"{line}\n---\nname: x\n".encode()).problems
    assert [problem.span.line for problem in problems if problem.severity is Severity.ERROR] in ([1], [2], [3])


@settings(max_examples=500, deadline=None)
@given(st.lists(PIECES, max_size=14).map("".join))
def test_no_piece_of_yaml_makes_the_reader_fail(text: str) -> None:
    reading = read_document(Path("/x.yml"), text.encode())
    assert all(problem.span.line >= 1 and problem.message for problem in reading.problems)


@pytest.mark.parametrize("opening", ["[", "{a: ", "- ", "a:\n ", "? ", "!!x [", "&a ["])
def test_depth_is_a_problem_with_a_place(opening: str) -> None:
    reading = read_document(Path("/x.yml"), (opening * 3000).encode())
    assert [problem for problem in reading.problems if problem.severity is Severity.ERROR]
