"""Compare what a receiver stores with its receipts; with ``deep`` every byte is read and every archive checked."""

from dataclasses import dataclass
from typing import Annotated, Any

import msgspec

from dce_play.plugin import UNKNOWN, Context, Effects, Info, StepFailed, StepPlan, StepResult, View
from dce_play.system.counted import counted
from dce_play.transfer.receiving.backends import verify_store
from dce_play.transfer.receiving.config import read_named

NAME = "receive.verify"
EFFECTS = Effects.REMOTE
REPEATABLE = True
REHEARSABLE = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Params:
    """Which receiver, and how closely."""

    config: Annotated[str, Info(help="The receive.toml; empty: DCE_RECEIVE_CONFIG, else the system's.")] = ""
    deep: Annotated[bool, Info(help="Read every byte, check every archive.")] = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Outputs:
    """What was found."""

    episodes: Annotated[int, Info(help="Episodes in the store.")]
    bytes: Annotated[int, Info(help="Their size.", unit="bytes")]
    broken: Annotated[tuple[dict[str, Any], ...], Info(help="Those that are not what they should be, and why.")]


def plan(params: Params, view: View, /) -> StepPlan:
    """Read the configuration only."""
    config = read_named(params.config, folder=view.folder, environment=view.environment)
    outputs = {"episodes": UNKNOWN, "bytes": UNKNOWN, "broken": UNKNOWN}
    place = config.store_dir if config.store.kind == "file" else f"the bucket {config.store.bucket}"
    return StepPlan(summary=f"would look through {place}", outputs=outputs)


def apply(params: Params, ctx: Context, /) -> StepResult:
    """Look through the store."""
    config = read_named(params.config, folder=ctx.folder, environment=ctx.environment)
    report = verify_store(config, ctx.environment, deep=params.deep)
    broken = tuple(msgspec.to_builtins(each) for each in report.broken)
    outputs = Outputs(episodes=report.episodes, bytes=report.bytes, broken=broken)
    if not report.sound:
        first = report.broken[0]
        raise StepFailed(
            f"{len(report.broken)} of {counted(report.episodes, 'stored episode')} broken: {first.id}: {first.why}",
            hint=f"dce-play receive verify --deep {config.option}",
            outputs=outputs,
        )
    return StepResult(
        changed=False, summary=counted(report.episodes, "episode is sound", "episodes are sound"), outputs=outputs
    )
