"""Which step plugins a playbook uses, for steps that look at other playbooks."""

from collections.abc import Callable
from pathlib import Path

from dce_play.cli.app.find_playbook import find_playbook
from dce_play.errors import DcePlayError
from dce_play.playbook.load.schema import Steps
from dce_play.playbook.plan.plan import all_steps
from dce_play.playbook.plan.planning import make_plan


def steps_used(folder: Path, steps: Steps, *, shipped: bool) -> Callable[[str], frozenset[str]]:
    """Return what tells which step plugins a playbook uses, by its path or bare name; none of an unreadable one."""

    def ask(playbook: str) -> frozenset[str]:
        try:
            plan = make_plan(find_playbook(playbook, folder), steps, shipped=shipped)
        except DcePlayError:
            return frozenset()
        return frozenset(step.step for step in all_steps(plan))

    return ask
