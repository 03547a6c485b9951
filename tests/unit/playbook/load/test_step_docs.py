"""What is told of steps comes from the steps themselves, and holds."""

import json
from pathlib import Path

import pytest

from dce_play.playbook.lint.file import inspect_file
from dce_play.playbook.load.step_docs import describe_step, example, step_as_json
from dce_play.source import Severity
from dce_play.steps import STEPS


@pytest.mark.parametrize("name", sorted(STEPS))
def test_the_example_of_a_step_is_a_playbook_that_lints(tmp_path: Path, name: str) -> None:
    path = tmp_path / "play.yml"
    head = "name: example\nvars:\n  before: {file_count: 1, snapshot: x}\n"
    body = "\n".join(f"  {line}" for line in example(STEPS[name]).splitlines()).replace("{{ before.", "{{ vars.before.")
    path.write_text(f"{head}steps:\n{body}\n", encoding="utf-8")
    problems = inspect_file(path, path.read_bytes(), steps=STEPS).problems
    assert [str(each) for each in problems if each.severity is Severity.ERROR and each.rule != "E211"] == []


@pytest.mark.parametrize("name", sorted(STEPS))
def test_every_field_of_a_step_is_described(name: str) -> None:
    text = describe_step(STEPS[name])
    facts = json.loads(json.dumps(step_as_json(STEPS[name]), default=str))
    for part in ("params", "outputs"):
        for field, schema in facts[part]["properties"].items():
            assert f"  {field}  (" in text
            assert schema.get("description"), f"{name}: {field} has no help"
