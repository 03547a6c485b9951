"""Remove the backups of a module that need not be kept, once somebody said yes. The newest good one always stays."""

from dataclasses import dataclass
from typing import Annotated

from dce_play.backup.keep.prune import KeepRules, apply_prune, plan_prune
from dce_play.backup.keep.retention import Retention
from dce_play.plugin import Change, Context, Duration, Effects, Info, StepFailed, StepPlan, StepResult, View
from dce_play.steps.backup_desk import BackupRoot, ClassTable, ModulesPlace, desk_of, services_of
from dce_play.system.counted import counted

NAME = "backup.prune"
EFFECTS = Effects.LOCAL
REPEATABLE = True
REHEARSABLE = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Params:
    """Of what, and what is kept."""

    module: Annotated[str, Info(help="Name of the module.", example="uptime-kuma")]
    keep_last: Annotated[int, Info(help="So many good ones.", minimum=1)] = 3
    keep_within: Annotated[Duration | None, Info(help="And all that are younger.", example="30d")] = None
    modules: ModulesPlace = ""
    backup_root: BackupRoot = ""
    classes: ClassTable = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Outputs:
    """What went."""

    removed: Annotated[tuple[str, ...], Info(help="File names.")]


def plan(params: Params, view: View, /) -> StepPlan:
    """Show what would go."""
    planned = _planned(params, view)
    return StepPlan(
        summary=f"would remove {counted(len(planned.remove), 'backup')}, keep {len(planned.keep)}",
        changes=tuple(Change(what=f"remove {each.file}: {', '.join(each.reasons)}") for each in planned.remove),
    )


def apply(params: Params, ctx: Context, /) -> StepResult:
    """Ask, and remove exactly that.

    Raises: StepFailed, when the answer is no; NobodyToAsk; BackupError.
    """
    planned = _planned(params, ctx)
    if not planned.remove:
        return StepResult(changed=False, summary="nothing need go", outputs=Outputs(removed=()))
    names = ", ".join(each.file for each in planned.remove)
    if not ctx.operator.confirm(f"Remove {names}?"):
        raise StepFailed("answered no: nothing went")
    desk = desk_of(params, ctx)
    removed = apply_prune(params.module, planned, _rules(params), desk.root, services_of(desk, ctx))
    return StepResult(changed=True, summary=f"removed {len(removed)}", outputs=Outputs(removed=removed))


def _planned(params: Params, view: View) -> Retention:
    desk = desk_of(params, view)
    catalog = desk.catalog()
    desk.known((params.module,), catalog)
    return plan_prune(params.module, catalog, _rules(params), now=desk.now)


def _rules(params: Params) -> KeepRules:
    return KeepRules(last=params.keep_last, within_s=params.keep_within)
