"""Remove what has been in quarantine longer than ``quarantine_keep_days``, now, whenever the last clean-up was."""

from dataclasses import dataclass
from typing import Annotated

import msgspec

from dce_play.plugin import Change, Context, Effects, Info, StepPlan, StepResult, View
from dce_play.services.shipper import stderr_log
from dce_play.system.redact import Masker
from dce_play.transfer.sending.episodes.cleanup import clean_up
from dce_play.transfer.sending.episodes.quarantine import list_items
from dce_play.transfer.sending.episodes.spool import Spool
from dce_play.transfer.sending.settings import ShipConfig, load_named
from dce_play.transfer.sending.state import read_state

NAME = "quarantine.clean"
EFFECTS = Effects.LOCAL
REPEATABLE = True
REHEARSABLE = False

_DAY_S = 86_400.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Params:
    """Whose quarantine."""

    config: Annotated[str, Info(help="The ship.toml; empty: DCE_SHIP_CONFIG, else the system's.")] = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Outputs:
    """What came of it."""

    moved: Annotated[tuple[str, ...], Info(help="Names that were removed from quarantine.")]


def plan(params: Params, view: View, /) -> StepPlan:
    """Tell what would be removed."""
    config = _config(params, view)
    old: list[str] = []
    if config.quarantine_keep_days:
        items = list_items(Spool(config), now=view.clock.now(), older_than_s=config.quarantine_keep_days * _DAY_S)
        old = [item.name for item in items]
    return StepPlan(
        summary=f"would remove {len(old)} of the quarantine",
        changes=tuple(Change(what=f"remove {name}") for name in old[:20]),
        outputs={"moved": [*old]},
    )


def apply(params: Params, ctx: Context, /) -> StepResult:
    """Remove it; nothing, while our clock is in doubt."""
    config = _config(params, ctx)
    spool = Spool(config)
    log = stderr_log(config, Masker(), ctx.environment)
    removed = clean_up(config, spool, read_state(spool.private), clock=ctx.clock, log=log)
    for name in removed:
        ctx.reporter.item(name, "removed")
    return StepResult(
        changed=bool(removed), summary=f"{len(removed)} removed from quarantine", outputs=Outputs(moved=tuple(removed))
    )


def _config(params: Params, view: View) -> ShipConfig:
    config = load_named(params.config, folder=view.folder, environment=view.environment)
    return msgspec.structs.replace(config, quarantine_cleanup_interval_s=0)
