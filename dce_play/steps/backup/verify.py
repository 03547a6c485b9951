"""Read a backup again from the disk, and note in its manifest what was found."""

from dataclasses import dataclass
from typing import Annotated

import msgspec

from dce_play.backup.take.verify import verify_entry
from dce_play.plugin import Change, Context, Effects, Info, StepFailed, StepPlan, StepResult, View
from dce_play.source import JsonValue
from dce_play.steps.backup_desk import BackupRoot, ClassTable, ModulesPlace, desk_of, services_of

NAME = "backup.verify"
EFFECTS = Effects.LOCAL
REPEATABLE = True
REHEARSABLE = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Params:
    """Which one, and how thoroughly."""

    backup: Annotated[str, Info(help="File name, path, MODULE@latest or MODULE@STAMP.", example="uptime-kuma@latest")]
    level: Annotated[int, Info(help="1: stored bytes; 2: contents.", minimum=1, maximum=2)] = 2
    identity: Annotated[str, Info(help="Reference to the key of an encrypted one.", example="file:/root/key")] = ""
    modules: ModulesPlace = ""
    backup_root: BackupRoot = ""
    classes: ClassTable = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Outputs:
    """What was found."""

    level: Annotated[int, Info(help="The level that was reached.")]
    findings: Annotated[tuple[dict[str, JsonValue], ...], Info(help="One mapping each: id, message.")]


def plan(params: Params, _view: View, /) -> StepPlan:
    """Tell what would be read."""
    what = f"verify {params.backup} at level {params.level}"
    return StepPlan(summary=f"would {what}", changes=(Change(what=what),))


def apply(params: Params, ctx: Context, /) -> StepResult:
    """Read it.

    Raises: StepFailed, when it is not as it should be; BackupError.
    """
    desk = desk_of(params, ctx)
    entry, services = desk.entry(params.backup), services_of(desk, ctx, params.identity)
    found = verify_entry(entry, services, level=params.level, identity=params.identity or None)
    findings = msgspec.to_builtins(found.findings)
    outputs = Outputs(level=found.level, findings=tuple(findings))
    if not found.ok:
        raise StepFailed(f"{entry.file}: {found.findings[-1].message}", hint="take a new one", outputs=outputs)
    return StepResult(changed=True, summary=f"{entry.file} is whole, level {found.level}", outputs=outputs)
