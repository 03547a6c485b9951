"""Move episodes from quarantine back to be sent again. One whose id is taken in ``episodes/`` stays, and is told."""

from dataclasses import dataclass
from typing import Annotated

from dce_play.plugin import Change, Context, Effects, Info, StepFailed, StepPlan, StepResult, View
from dce_play.transfer.sending.episodes.quarantine import Requeued, choose, requeue
from dce_play.transfer.sending.episodes.spool import Spool
from dce_play.transfer.sending.settings import load_named

NAME = "quarantine.requeue"
EFFECTS = Effects.LOCAL
REPEATABLE = True
REHEARSABLE = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Params:
    """What to move back: names, or a reason; neither means all."""

    config: Annotated[str, Info(help="The ship.toml; empty: DCE_SHIP_CONFIG, else the system's.")] = ""
    reason: Annotated[str, Info(help="Only what was refused for this reason.", example="commit_not_in_window")] = ""
    names: Annotated[tuple[str, ...], Info(help="Only these.")] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Outputs:
    """What came of it."""

    moved: Annotated[tuple[str, ...], Info(help="Names that went back.")]


def plan(params: Params, view: View, /) -> StepPlan:
    """Tell what would be moved."""
    done = _requeue(params, view, dry_run=True)
    return StepPlan(
        summary=f"would move {len(done.requeued)} back",
        changes=tuple(Change(what=f"move {name} back") for name in done.requeued[:20]),
        outputs={"moved": [*done.requeued]},
    )


def apply(params: Params, ctx: Context, /) -> StepResult:
    """Move them."""
    done = _requeue(params, ctx, dry_run=False)
    outputs = Outputs(moved=tuple(done.requeued))
    for name in done.requeued:
        ctx.reporter.item(name, "requeued")
    if done.refused:
        first = done.refused[0]
        raise StepFailed(f"{len(done.refused)} stay: {first.name}: {first.why}", outputs=outputs)
    return StepResult(changed=bool(done.requeued), summary=f"{len(done.requeued)} moved back", outputs=outputs)


def _requeue(params: Params, view: View, *, dry_run: bool) -> Requeued:
    config = load_named(params.config, folder=view.folder, environment=view.environment)
    spool = Spool(config)
    reason = params.reason or None
    names = choose(spool, params.names, now=view.clock.now(), reason=reason, everything=not params.names)
    return requeue(spool, names, dry_run=dry_run)
