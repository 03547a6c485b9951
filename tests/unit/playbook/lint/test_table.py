"""docs/reference/lint-rules.md: every rule is there, and its examples do what they say."""

import re
from pathlib import Path

import pytest

from dce_play.playbook.lint.file import inspect_file
from dce_play.playbook.lint.table import RULES, severity_of
from dce_play.playbook.lint.target_names import TargetsBeside
from dce_play.source import Problem
from tests.support.demo_steps import DEMO_STEPS

_PAGE = (Path(__file__).resolve().parents[4] / "docs" / "reference" / "lint-rules.md").read_text(encoding="utf-8")
_SECTION = re.compile(r"^### ([EWI]\d{3}): (.*?)( ✎)?\n(.*?)(?=^##|\Z)", re.MULTILINE | re.DOTALL)
_EXAMPLE = re.compile(r"^```yaml (wrong|right) ?(\w*)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
_SECTIONS = {found[1]: found for found in _SECTION.finditer(_PAGE)}
_NAMES = {"": "playbooks/example.yml", "role": "roles/example/role.yml", "targets": "scrape-targets.yml"}


def _lint(tmp_path: Path, kind: str, text: str) -> list[Problem]:
    path = tmp_path / _NAMES[kind]
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text.replace("LONG", " + ".join(["1"] * 1000)), encoding="utf-8")
    beside = TargetsBeside(path=tmp_path / "scrape-targets.yml", sha256="", names=("lab", "den"))
    return list(inspect_file(path, path.read_bytes(), steps=DEMO_STEPS, targets=beside).problems)


def _examples(rule: str) -> dict[str, tuple[str, str]]:
    return {found[1]: (found[2], found[3]) for found in _EXAMPLE.finditer(_SECTIONS[rule][4])}


def test_the_page_has_every_rule_with_its_title_and_mark() -> None:
    page = {rule: (found[2], found[3] is not None) for rule, found in _SECTIONS.items()}
    assert page == {rule: (each.title, each.fixes) for rule, each in RULES.items()}


@pytest.mark.parametrize("rule", sorted(_SECTIONS))
def test_the_wrong_example_has_the_problem_and_no_other(tmp_path: Path, rule: str) -> None:
    problems = _lint(tmp_path, *_examples(rule)["wrong"])
    assert [each.rule for each in problems if each.rule != "I601" or rule == "I601"] == [rule]
    assert all(each.severity is severity_of(each.rule) for each in problems)


@pytest.mark.parametrize("rule", sorted(_SECTIONS))
def test_the_right_example_has_no_problem(tmp_path: Path, rule: str) -> None:
    problems = _lint(tmp_path, *_examples(rule)["right"])
    assert [each for each in problems if each.rule != "I601" or rule == "I601"] == []
