"""Golden folders: what lint says of files with mistakes, and what playbooks are planned to do.

To write them anew after a change that was meant: ``DCE_PLAY_WRITE_GOLDEN=1 pytest tests/unit/playbook/test_golden.py``.
"""

import json
import os
from pathlib import Path

import pytest

from dce_play.playbook.lint.file import inspect_file
from dce_play.playbook.lint.lint import Linter
from dce_play.playbook.plan.planning import make_plan
from dce_play.render.plan import as_json, mermaid, outline
from dce_play.render.problems import render_problems, summary
from dce_play.source import Severity
from dce_play.steps import STEPS

_GOLDEN = Path(__file__).resolve().parents[2] / "golden"
_DIAGNOSTICS = sorted(path for path in (_GOLDEN / "diagnostics").iterdir() if path.is_dir())
_PLAYBOOKS = sorted(path for path in (_GOLDEN / "playbooks").iterdir() if path.is_dir())


def _compare(path: Path, text: str) -> None:
    if os.environ.get("DCE_PLAY_WRITE_GOLDEN"):
        path.write_text(text, encoding="utf-8")
    assert text == path.read_text(encoding="utf-8")


@pytest.mark.parametrize("folder", _DIAGNOSTICS, ids=lambda folder: folder.name)
def test_lint_says_what_is_written_down(folder: Path) -> None:
    result = Linter(lambda path, data: inspect_file(path, data, steps=STEPS)).lint([folder])
    texts = {path: path.read_text(encoding="utf-8") for path in result.files}
    text = render_problems(result.problems, texts, folder=folder)
    _compare(folder / "expected.txt", text + "\n" + summary(result.problems, len(result.files)) + "\n")


def test_twelve_mistakes_are_twelve_problems() -> None:
    path = _GOLDEN / "diagnostics" / "mangled" / "playbook.yml"
    problems = inspect_file(path, path.read_bytes(), steps=STEPS).problems
    assert [each.severity for each in problems] == [Severity.ERROR] * 12


@pytest.mark.parametrize("folder", _PLAYBOOKS, ids=lambda folder: folder.name)
def test_a_plan_is_what_is_written_down(folder: Path) -> None:
    plan = make_plan(folder / "playbook.yml", STEPS)
    _compare(folder / "outline.txt", outline(plan, None))
    _compare(folder / "graph.mmd", mermaid(plan))
    facts = as_json(plan, None) | {"path": "playbook.yml"}
    _compare(folder / "plan.json", json.dumps(facts, indent=2, ensure_ascii=False) + "\n")
