"""A choice of steps that would lack an input is refused before anything runs."""

from pathlib import Path

import pytest

from dce_play.playbook.plan.inputs import InputLeftOut
from dce_play.playbook.plan.planning import make_plan
from dce_play.playbook.plan.selection import choose_steps
from tests.support.command_line import Terminal
from tests.support.demo_steps import DEMO_STEPS

pytestmark = pytest.mark.contract("F-W")

PLAYBOOK = """\
name: inputs
steps:
  - name: Look
    disk.report: {}
    register: disk
    tags: [look]
  - name: Work
    report.say: {text: working}
    tags: [work]
  - name: Around
    block:
      - name: Tell
        report.say: {text: "{{ disk.file_systems | length | string }}"}
        tags: [tell]
  - name: Ask first
    when: disk is defined
    report.say: {text: "{{ disk.file_systems | length | string }}"}
    tags: [ask]
"""


@pytest.fixture
def path(tmp_path: Path) -> Path:
    path = tmp_path / "play.yml"
    path.write_text(PLAYBOOK, encoding="utf-8")
    return path


@pytest.mark.parametrize(("start", "tags"), [("work", ()), ("around", ()), (None, ("tell",)), (None, ("work", "tell"))])
def test_a_choice_that_leaves_out_what_a_step_reads_is_refused(path: Path, start: str | None, tags: tuple[str]) -> None:
    with pytest.raises(InputLeftOut, match='around/tell reads "disk", which look registers'):
        choose_steps(make_plan(path, DEMO_STEPS), start_at=start, tags=tags)


@pytest.mark.parametrize(
    ("start", "tags"), [("look", ()), ("ask-first", ()), (None, ("look", "tell")), (None, ("work",))]
)
def test_a_choice_that_has_its_inputs_or_asks_for_them_is_taken(
    path: Path, start: str | None, tags: tuple[str]
) -> None:
    assert choose_steps(make_plan(path, DEMO_STEPS), start_at=start, tags=tags)


def test_nothing_runs_before_it_is_refused(path: Path) -> None:
    said = Terminal(folder=path.parent).run("run", "play.yml", "--start-at", "work")
    assert (said.code, said.out) == (5, "")
    assert "begin at look" in said.err
