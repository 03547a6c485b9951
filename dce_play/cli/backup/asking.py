"""What the two prunes share: the rules, the plan for people, and the question."""

import os
from collections.abc import Callable, Iterable, Sequence
from typing import Any, TypeVar

import click

from dce_play.backup.attended import admit, decide, look
from dce_play.backup.errors import BackupError, ErrorId
from dce_play.backup.keep.prune import KeepRules
from dce_play.backup.keep.retention import DEFAULT_LAST, Reasoned
from dce_play.cli.backup.office import Office
from dce_play.errors import ExitCode
from dce_play.system.cells import aligned

_Plan = TypeVar("_Plan")


def rules_of(office: Office, name: str, options: dict[str, Any]) -> KeepRules:
    """Return what the command line says, else the module's definition, else three."""
    last, within = options["keep_last"], options["keep_within"]
    if last is None or within is None:
        module = office.desk.definitions.named(name)
        if module is not None:
            last = module.keys.keep.last if last is None else last
            within = module.keys.keep.within if within is None else within
    return KeepRules(last=DEFAULT_LAST if last is None else last, within_s=within)


def plan_lines(keep: Sequence[Reasoned], remove: Sequence[Reasoned]) -> list[str]:
    """Return the plan for people."""
    fates = [("keep", each) for each in keep] + [("remove", each) for each in remove]
    return aligned([(fate, each.file, ", ".join(each.reasons)) for fate, each in fates])


def ask_for_person(what: str) -> None:
    """Refuse where nobody is there and nobody answered on the command line.

    Raises: BackupError (``unattended``).
    """
    seen = look(os.environ)
    if not decide(seen).attended:
        raise BackupError(
            ErrorId.UNATTENDED,
            f"{what} needs a person: {decide(seen).reason}",
            hint="run it at a terminal (over ssh: ssh -t), or answer with --yes",
        )
    admit(seen, allow_unattended=False, what=what)


def confirm(office: Office, lines: Sequence[str], question: str) -> None:
    """Show a plan and ask.

    Raises: BackupError (``interrupted``, exit 1), when the answer is no.
    """
    for line in lines:
        office.say(line)
    if not click.confirm(question, err=True):
        raise BackupError(ErrorId.INTERRUPTED, "answered no: nothing went", exit_code=ExitCode.FAILED)


def removed_by(plans: Iterable[_Plan], apply: Callable[[_Plan], Sequence[str]]) -> tuple[list[str], BackupError | None]:
    """Apply each plan; one that fails removes nothing of its own and stops no other. Return what went, and the failure.

    Failures of different exit codes are exit 1 together.
    """
    removed: list[str] = []
    failures: list[BackupError] = []
    for plan in plans:
        try:
            removed += apply(plan)
        except BackupError as error:
            failures.append(error)
    if len({error.exit_code for error in failures}) > 1:
        first = failures[0]
        return removed, BackupError(first.error_id, str(first), hint=first.hint, exit_code=ExitCode.FAILED)
    return removed, failures[0] if failures else None
