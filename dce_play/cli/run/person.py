"""Steps that need a person, and the playbooks that have them.

Source: docs/reference/backup.md, "Who is there".
"""

from collections.abc import Mapping

from dce_play.playbook.plan.plan import Plan, all_steps

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
