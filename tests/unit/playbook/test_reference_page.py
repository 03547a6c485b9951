"""docs/reference/playbooks.md: its examples lint clean, its tables name everything there is."""

import re
from pathlib import Path

import pytest

from dce_play.playbook.check.names import BUILT_IN_NAMES, FAILURE, RUN
from dce_play.playbook.expressions.filters import FILTERS, FUNCTIONS, TESTS
from dce_play.playbook.language.grammar import PARAM_KEYS, PLAYBOOK_KEYS, STATEMENT_KEYS
from dce_play.playbook.language.model import ParamType
from dce_play.playbook.lint.file import inspect_file
from dce_play.steps import STEPS

_PAGE = (Path(__file__).resolve().parents[3] / "docs" / "reference" / "playbooks.md").read_text(encoding="utf-8")
_EXAMPLES = re.findall(r"^```yaml (playbook|role)\n(.*?)^```$", _PAGE, re.MULTILINE | re.DOTALL)
_PROSE = re.sub(r"^```.*?^```$", "", _PAGE, flags=re.MULTILINE | re.DOTALL)
_WORDS = {word for text in re.findall(r"`([^`]+)`", _PROSE) for word in text.replace(":", " ").split()}


@pytest.mark.parametrize(("kind", "text"), _EXAMPLES)
def test_an_example_lints_clean(tmp_path: Path, kind: str, text: str) -> None:
    path = tmp_path / ("role.yml" if kind == "role" else "playbook.yml")
    path.write_text(text, encoding="utf-8")
    assert inspect_file(path, path.read_bytes(), steps=STEPS).problems == ()


def test_the_page_names_all_there_is() -> None:
    fields = {*(RUN.fields or {}), *(FAILURE.fields or {})}
    words = {*PLAYBOOK_KEYS, *STATEMENT_KEYS, *PARAM_KEYS, *ParamType, *BUILT_IN_NAMES, *FILTERS, *FUNCTIONS, *fields}
    words |= {test for test in TESTS if test.isalpha() and test not in {"eq", "ne", "lt", "le", "gt", "ge"}}
    assert {str(word) for word in words} - _WORDS - {"type"} == set()
