"""Steps that need a person, and the playbooks that have them.

Source: docs/reference/backup.md, "Who is there".
"""

from collections.abc import Callable, Mapping
from pathlib import Path

from dce_play.cli.app.find_playbook import find_playbook
from dce_play.errors import DcePlayError
from dce_play.playbook.plan.plan import Plan, all_steps
from dce_play.playbook.plan.planning import make_plan
from dce_play.plugin import CheckStep

NEEDS_PERSON = "backup.take"
"""The one step that takes something a person must answer for."""


def refuse_without_person(
    plan: Plan, environment: Mapping[str, str], *, allow_unattended: bool, looks_only: bool
) -> None:
    """Refuse a playbook that takes a backup where nobody is there and the command line does not allow it.

    Raises: BackupError (``unattended``, exit 77).
    """
    if looks_only or not any(step.step == NEEDS_PERSON for step in all_steps(plan)):
        return
    from dce_play.backup.attended import admit, look  # only for the playbooks that need it

    admit(look(environment), allow_unattended=allow_unattended, what="taking a backup")


def steps_used(folder: Path, steps: Mapping[str, CheckStep], *, shipped: bool) -> Callable[[str], frozenset[str]]:
    """Return what tells which step plugins a playbook uses, by its path or bare name; none of an unreadable one."""

    def ask(playbook: str) -> frozenset[str]:
        try:
            plan = make_plan(find_playbook(playbook, folder), steps, shipped=shipped)
        except DcePlayError:
            return frozenset()
        return frozenset(step.step for step in all_steps(plan))

    return ask
