"""Move episodes that carry no commit into quarantine: no receiver with a version gate will ever take them."""

from dataclasses import dataclass
from typing import Annotated

from dce_play.plugin import Change, Context, Duration, Effects, Info, StepPlan, StepResult, View
from dce_play.transfer.sending.episodes.drain import DrainResult, drain
from dce_play.transfer.sending.episodes.folders import check_folders
from dce_play.transfer.sending.episodes.spool import Spool
from dce_play.transfer.sending.settings import load_named

NAME = "ship.drain"
EFFECTS = Effects.LOCAL
REPEATABLE = True
REHEARSABLE = False

_MIN_AGE = Duration(600.0)


@dataclass(frozen=True, slots=True, kw_only=True)
class Params:
    """Which shipper, and how patient."""

    config: Annotated[str, Info(help="The ship.toml; empty: DCE_SHIP_CONFIG, else the system's.")] = ""
    min_age: Annotated[
        Duration, Info(help="How long nothing may have changed in a folder whose meta.json is missing or broken.")
    ] = _MIN_AGE


@dataclass(frozen=True, slots=True, kw_only=True)
class Outputs:
    """What came of it."""

    moved: Annotated[tuple[str, ...], Info(help="The ids of the episodes that were moved.")]


def plan(params: Params, view: View, /) -> StepPlan:
    """Tell what would be moved."""
    done = _drain(params, view, dry_run=True)
    return StepPlan(
        summary=f"would move {done.quarantined}, keep {done.kept}",
        changes=tuple(Change(what=f"move {each.id} to {each.to}: {each.detail}") for each in done.episodes[:20]),
        outputs={"moved": [each.id for each in done.episodes]},
    )


def apply(params: Params, ctx: Context, /) -> StepResult:
    """Move them."""
    done = _drain(params, ctx, dry_run=False)
    for each in done.episodes:
        ctx.reporter.item(each.id, "quarantined", each.detail)
    return StepResult(
        changed=done.quarantined > 0,
        summary=f"{done.quarantined} to quarantine, {done.kept} kept",
        outputs=Outputs(moved=tuple(each.id for each in done.episodes)),
    )


def _drain(params: Params, view: View, *, dry_run: bool) -> DrainResult:
    config = load_named(params.config, folder=view.folder, environment=view.environment)
    spool = Spool(config)
    if not dry_run:
        check_folders(config, spool)
    return drain(spool, host_id=config.host_id, min_age_s=params.min_age, dry_run=dry_run, clock=view.clock)
