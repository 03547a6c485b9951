"""Restore a backup into a throw-away engine and count what came of it. The live service is never touched."""

from dataclasses import dataclass
from typing import Annotated

import msgspec

from dce_play.backup.protocols import DrillOptions
from dce_play.backup.restore.drill import drill_entry
from dce_play.plugin import Change, Context, Effects, Info, StepFailed, StepPlan, StepResult, View
from dce_play.source import JsonValue
from dce_play.steps.backup_desk import BackupRoot, ClassTable, ModulesPlace, desk_of, services_of

NAME = "backup.drill"
EFFECTS = Effects.LOCAL
REPEATABLE = True
REHEARSABLE = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Params:
    """Which one, and with which keys."""

    backup: Annotated[str, Info(help="File name, path, MODULE@latest or MODULE@STAMP.", example="uptime-kuma@latest")]
    identity: Annotated[str, Info(help="Reference to the key of an encrypted one.", example="file:/root/key")] = ""
    unseal: Annotated[str, Info(help="Reference to the original unseal key (class C).")] = ""
    modules: ModulesPlace = ""
    backup_root: BackupRoot = ""
    classes: ClassTable = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Outputs:
    """What came of it."""

    restored: Annotated[dict[str, JsonValue], Info(help="What was counted.")]
    differences: Annotated[tuple[dict[str, JsonValue], ...], Info(help="One mapping each: what, expected, restored.")]


def plan(params: Params, _view: View, /) -> StepPlan:
    """Tell what would be drilled."""
    return StepPlan(summary=f"would drill {params.backup}", changes=(Change(what=f"drill {params.backup}"),))


def apply(params: Params, ctx: Context, /) -> StepResult:
    """Drill it.

    Raises: StepFailed, when something else is restored; BackupError.
    """
    desk = desk_of(params, ctx)
    entry, services = desk.entry(params.backup), services_of(desk, ctx, params.identity, params.unseal)
    options = DrillOptions(unseal=params.unseal or None)
    found = drill_entry(entry, services, options, identity=params.identity or None)
    differences = msgspec.to_builtins(found.differences)
    outputs = Outputs(restored=found.restored, differences=tuple(differences))
    if found.differences:
        first = found.differences[0]
        raise StepFailed(f"{entry.file} restores something else: {first.what}", hint="take a new one", outputs=outputs)
    return StepResult(changed=True, summary=f"{entry.file} restores, level {found.level}", outputs=outputs)
