"""List the modules that hold state, how each would be backed up, and the last backup of each. Contacts no service."""

from dataclasses import dataclass
from typing import Annotated

import msgspec

from dce_play.backup.keep.audit import audit, overdue
from dce_play.plugin import Context, Duration, Effects, Info, StepFailed, StepResult
from dce_play.source import JsonValue
from dce_play.steps.backup_desk import BackupRoot, ClassTable, ModulesPlace, desk_of
from dce_play.system.counted import counted

NAME = "backup.audit"
EFFECTS = Effects.NONE
REPEATABLE = True
REHEARSABLE = False
PROGRAMS = frozenset({"podman", "docker"})
"""Which may be looked at in a dry run."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Params:
    """How old a backup may be."""

    module: Annotated[str, Info(help="Only this one; empty: all.")] = ""
    max_age: Annotated[Duration | None, Info(help="Fail for an active module without a younger one.", example="7d")] = (
        None
    )
    modules: ModulesPlace = ""
    backup_root: BackupRoot = ""
    classes: ClassTable = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Outputs:
    """What there is."""

    modules: Annotated[
        tuple[dict[str, JsonValue], ...], Info(help="One mapping each, as dce-play backup audit has it.")
    ]
    summary: Annotated[dict[str, JsonValue], Info(help="stateful, ready, excluded, by_class.")]


def apply(params: Params, ctx: Context, /) -> StepResult:
    """Look.

    Raises: StepFailed, for modules without a backup that is young enough; BackupError.
    """
    desk = desk_of(params, ctx)
    modules = (desk.module(params.module),) if params.module else desk.definitions.modules
    rows, summary = audit(modules, desk.catalog(), now=desk.now)
    for row in rows:
        reasons = f" ({', '.join(row.reasons)})" if row.reasons else ""
        ctx.reporter.say(f"{row.module}: class {row.class_name}, {row.engine}, {row.readiness}{reasons}")
    outputs = Outputs(modules=tuple(msgspec.to_builtins(rows)), summary=msgspec.to_builtins(summary))
    late = overdue(rows, max_age_s=params.max_age) if params.max_age is not None else ()
    if late:
        names = ", ".join(row.module for row in late[:10])
        raise StepFailed(
            f"no young enough backup of {names}",
            hint=desk.in_words(f"dce-play backup run {late[0].module}"),
            outputs=outputs,
        )
    return StepResult(
        changed=False, summary=f"{counted(summary.stateful, 'stateful module')}, {summary.ready} ready", outputs=outputs
    )
