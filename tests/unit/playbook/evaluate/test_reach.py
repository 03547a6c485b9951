from pathlib import Path

import pytest

from dce_play.playbook.evaluate.reach import reachable_steps
from dce_play.playbook.plan.planning import make_plan
from dce_play.steps import STEPS

ROLE = """
name: inner
params: {deep: {type: bool, default: false}}
steps:
  - {name: deep, when: params.deep, report.say: {text: deep}}
  - {name: shallow, report.say: {text: shallow}}
"""

PLAYBOOK = """
name: sample
params: {big: {type: bool, default: false}}
steps:
  - {name: always, report.say: {text: a}, register: said}
  - {name: big only, when: params.big, report.say: {text: b}}
  - {name: reads what is not known yet, when: said.changed, report.say: {text: c}}
  - name: block
    when: not params.big
    block:
      - {name: in the block, report.say: {text: d}}
  - {name: role, role: inner, vars: {deep: "{{ params.big }}"}}
  - {name: no items, loop: "{{ targets }}", as: target, report.say: {text: "{{ target.name }}"}}
"""


@pytest.mark.parametrize(
    ("big", "targets", "names"),
    [
        (False, [], ["always", "reads what is not known yet", "in the block", "shallow"]),
        (True, ["x"], ["always", "big only", "reads what is not known yet", "deep", "shallow", "no items"]),
    ],
)
def test_steps_behind_conditions_that_are_known_to_be_false_are_left_out(
    tmp_path: Path, big: bool, targets: list[str], names: list[str]
) -> None:
    (tmp_path / "playbooks").mkdir()
    (tmp_path / "roles/inner").mkdir(parents=True)
    (tmp_path / "roles/inner/role.yml").write_text(ROLE)
    path = tmp_path / "playbooks/sample.yml"
    path.write_text(PLAYBOOK)
    plan = make_plan(path, STEPS)
    scope = {"params": {"big": big}, "targets": [{"name": target} for target in targets]}
    found = [step.keywords.name for step in reachable_steps(plan, scope)]
    assert [getattr(name, "value", "no items") for name in found] == names
