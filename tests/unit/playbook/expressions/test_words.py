"""What lint says of conditions that people get wrong."""

import pytest

from dce_play.playbook.expressions.inference import infer
from dce_play.playbook.types.shapes import INT, STR, Shape, list_of

pytestmark = pytest.mark.contract("F-W")

SCOPE: dict[str, Shape] = {"channels": list_of(STR), "counts": list_of(INT)}


@pytest.mark.parametrize(("word", "bool_word"), [("yes", "true"), ("On", "true"), ("no", "false"), ("OFF", "false")])
def test_a_word_for_a_bool_is_told_with_the_word_to_write(word: str, bool_word: str) -> None:
    assert [diagnostic.hint for diagnostic in infer(word, SCOPE).diagnostics] == [f"write {bool_word}"]


@pytest.mark.parametrize(
    ("text", "always"),
    [
        ("channels == [948123456789012345]", "false"),
        ("channels != [1, 2]", "true"),
        ("948123456789012345 in channels", "false"),
        ("'1' not in counts", "true"),
    ],
)
def test_ids_without_quotes_are_never_those_of_discord(text: str, always: str) -> None:
    diagnostics = infer(text, SCOPE).diagnostics
    assert [diagnostic.rule for diagnostic in diagnostics] == ["W225"]
    assert diagnostics[0].message.endswith(f"always {always}")


@pytest.mark.parametrize(
    "text",
    ["channels == []", "channels == ['1']", "counts == [1.5]", "'1' in channels", "1 in counts"],
)
def test_what_can_be_true_is_left_alone(text: str) -> None:
    assert infer(text, SCOPE).diagnostics == []
