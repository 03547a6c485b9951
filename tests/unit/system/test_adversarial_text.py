"""Functions that take text from outside do work in proportion to it, whatever is in it."""

import shlex
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import pytest

from dce_play.errors import DcePlayError
from dce_play.playbook.document.document import read_document
from dce_play.playbook.expressions.bounds import OutOfBounds
from dce_play.playbook.expressions.filters import FILTERS
from dce_play.playbook.expressions.inference import infer
from dce_play.system.foreign_text import clean, pictures, visible
from dce_play.system.quantities import parse_duration, parse_size
from dce_play.system.redact import Masker
from dce_play.system.secret_names import is_secret_name, secrets_in_text
from tests.support.adversarial import not_linear, steps_of

pytestmark = pytest.mark.contract("F-B4")


def mask(text: str) -> str:
    masker = Masker()
    masker.add('a secret with "quotes" \\ and more')
    masker.add("aaaa")
    return masker.mask(text)


def begun(text: str) -> object:
    masker = Masker()
    masker.add("aaaa bbbb")
    return masker.begin(text)


def foreseen(function: Callable[[str], object]) -> Callable[[str], object]:
    """Return the function with its own errors let pass."""

    def called(text: str) -> object:
        with suppress(DcePlayError, ValueError, OutOfBounds):
            return function(text)
        return None

    return called


FUNCTIONS: dict[str, Callable[[str], object]] = {
    "clean": clean,
    "visible": visible,
    "pictures": pictures,
    "mask": mask,
    "mask the beginning": begun,
    "secret name": is_secret_name,
    "secrets in an env file": lambda text: list(secrets_in_text(f"TOKEN={text}\n{text}")),
    "duration": foreseen(parse_duration),
    "size": foreseen(parse_size),
    "slug": foreseen(FILTERS["slug"]),
    "lower": foreseen(FILTERS["lower"]),
    "split": foreseen(FILTERS["split"]),
    "basename": foreseen(FILTERS["basename"]),
    "quoted": shlex.quote,
}
"""Text functions that take any length. Documents and expressions have bounds of their own."""


@pytest.mark.parametrize("name", FUNCTIONS)
def test_twice_the_text_is_at_most_thrice_the_work(name: str) -> None:
    assert not_linear(FUNCTIONS[name]) == []


@pytest.mark.parametrize(
    "piece",
    [
        "{{ ",
        "[{",
        "{? ",
        "[a: ",
        "a: ",
        "- ",
        "? ",
        "[",
        '"',
        "'",
        "# ",
        "&a ",
        "*a ",
        "%",
        "\t",
        "|\n",
        "\u202e",
    ],
)
def test_a_document_is_read_in_steps_that_follow_its_length(piece: str) -> None:
    def read(text: str) -> object:
        return read_document(Path("/x.yml"), text.encode())

    read(piece)  # what is made at the first call does not count
    once, twice = steps_of(read, piece * 40), steps_of(read, piece * 80)
    assert twice <= 3 * once + 2000


@pytest.mark.parametrize(
    "piece", ["(", "a.", "a|int ", "not ", "-", "'a'~", "[", "a if b else ", "a and ", "1<", "{'a':"]
)
def test_an_expression_is_checked_in_steps_that_follow_its_length(piece: str) -> None:
    def check(text: str) -> object:
        return infer(text + "a", {})

    once, twice = steps_of(check, piece * 10), steps_of(check, piece * 20)
    assert twice <= 3 * once + 2000
