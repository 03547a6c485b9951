"""Finish or undo appends of a target that were interrupted. Every append does so first for its own channel.

Fails when a journal speaks of a file that is no longer what it was: a person must look then.
"""

from dataclasses import dataclass
from typing import Annotated

from dce_play.discord.archive.folder.naming import shown
from dce_play.discord.archive.records.journal import pending_journals
from dce_play.discord.archive.records.recover import RecoveryState, recover
from dce_play.layout import TargetLayout
from dce_play.plugin import Change, Context, Effects, Info, StepFailed, StepPlan, StepResult, View
from dce_play.system.counted import counted
from dce_play.system.durable.disk import REAL

NAME = "archive.recover"
EFFECTS = Effects.ARCHIVE
REPEATABLE = True
REHEARSABLE = True


@dataclass(frozen=True, slots=True, kw_only=True)
class Params:
    """Whose appends."""

    target: Annotated[str, Info(help="Name of the target.")]


@dataclass(frozen=True, slots=True, kw_only=True)
class Outputs:
    """What became of them."""

    finished: Annotated[int, Info(help="Appends that were finished.")]
    undone: Annotated[int, Info(help="Appends that were undone; their exports are still staged.")]
    refused: Annotated[tuple[str, ...], Info(help="Channels whose file is not the one the journal speaks of.")]


def plan(params: Params, view: View, /) -> StepPlan:
    """Count them."""
    pending = pending_journals(_layout(params, view), disk=REAL)
    changes = tuple(Change(what=f"finish or undo the append of channel {path.stem}", path=path) for path in pending)
    return StepPlan(summary=f"would recover {counted(len(pending), 'append')}", changes=changes)


def apply(params: Params, ctx: Context, /) -> StepResult:
    """Recover."""
    recoveries = recover(_layout(params, ctx))
    for recovery in recoveries:
        name = shown(recovery.archive) if recovery.archive else f"channel {recovery.channel_id}"
        ctx.reporter.item(
            recovery.channel_id, recovery.state.value, f"{name}{recovery.reason and ': '}{recovery.reason}"
        )
    refused = [recovery for recovery in recoveries if recovery.state is RecoveryState.REFUSED]
    outputs = Outputs(
        finished=sum(recovery.state is RecoveryState.ROLLED_FORWARD for recovery in recoveries),
        undone=sum(recovery.state is RecoveryState.ROLLED_BACK for recovery in recoveries),
        refused=tuple(recovery.channel_id for recovery in refused),
    )
    if refused:
        raise StepFailed(
            f"{counted(len(refused), 'append')} can neither be finished nor undone; first: {refused[0].reason}",
            hint=refused[0].hint,
            outputs=outputs,
        )
    done = outputs.finished + outputs.undone
    summary = f"{outputs.finished} finished, {outputs.undone} undone" if done else "nothing was interrupted"
    return StepResult(changed=done > 0, summary=summary, outputs=outputs)


def _layout(params: Params, view: View) -> TargetLayout:
    return TargetLayout(view.chosen_targets(params.target)[0].output_dir)
