"""Make a receiver's index whole again: lines that are missing, a torn last line. Fails when something is not sound."""

from dataclasses import dataclass
from typing import Annotated, Any

import msgspec

from dce_play.plugin import UNKNOWN, Change, Context, Effects, Info, StepFailed, StepPlan, StepResult, View
from dce_play.system.counted import counted
from dce_play.transfer.receiving.backends import backfill_store
from dce_play.transfer.receiving.config import read_named
from dce_play.transfer.receiving.store_check import BackfillReport

NAME = "receive.backfill"
EFFECTS = Effects.LOCAL
REPEATABLE = True
REHEARSABLE = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Params:
    """Which receiver."""

    config: Annotated[str, Info(help="The receive.toml; empty: DCE_RECEIVE_CONFIG, else the system's.")] = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Outputs:
    """What was found."""

    rows: Annotated[int, Info(help="Lines of the index, those that were added included.")]
    added: Annotated[int, Info(help="Lines that were missing.")]
    cut_bytes: Annotated[int, Info(help="Length of a torn last line that was cut.", unit="bytes")]
    missing_files: Annotated[tuple[str, ...], Info(help="Ids of lines without a file.")]
    bad_lines: Annotated[tuple[int, ...], Info(help="Numbers of lines that are no rows.")]
    repeated: Annotated[tuple[str, ...], Info(help="Ids that are listed more than once.")]
    broken: Annotated[tuple[dict[str, Any], ...], Info(help="Episodes that are not what they should be, and why.")]


def plan(params: Params, view: View, /) -> StepPlan:
    """Look, and write nothing; a store on other machines is not asked."""
    config = read_named(params.config, folder=view.folder, environment=view.environment)
    if config.store.kind != "file":
        outputs = dict.fromkeys(Outputs.__slots__, UNKNOWN)
        return StepPlan(summary=f"would compare the bucket {config.store.bucket} with its index", outputs=outputs)
    report = backfill_store(config, view.environment, dry_run=True)
    lines = tuple(Change(what=f"add {counted(report.added, 'line')} to the index") for _ in range(report.added and 1))
    return StepPlan(
        summary=f"would add {counted(report.added, 'line')}", changes=lines, outputs=msgspec.to_builtins(report)
    )


def apply(params: Params, ctx: Context, /) -> StepResult:
    """Add what is missing."""
    config = read_named(params.config, folder=ctx.folder, environment=ctx.environment)
    report = backfill_store(config, ctx.environment, dry_run=False)
    outputs = Outputs(
        rows=report.rows,
        added=report.added,
        cut_bytes=report.cut_bytes,
        missing_files=report.missing_files,
        bad_lines=report.bad_lines,
        repeated=report.repeated,
        broken=tuple(msgspec.to_builtins(each) for each in report.broken),
    )
    if not report.sound:
        hint = f"see each of them: dce-play receive backfill --dry-run {config.option}"
        raise StepFailed(_unsound(report), hint=hint, outputs=outputs)
    return StepResult(
        changed=report.added > 0 or report.cut_bytes > 0,
        summary=f"{counted(report.rows, 'row')}, {report.added} added",
        outputs=outputs,
    )


def _unsound(report: BackfillReport) -> str:
    """Return what is wrong, by kind, with the first of each."""
    kinds: dict[str, tuple[object, ...]] = {
        "listed without a file": report.missing_files,
        "lines that are no rows": report.bad_lines,
        "listed more than once": report.repeated,
        "broken": tuple(each.id for each in report.broken),
    }
    return "; ".join(f"{len(found)} {kind} ({found[0]})" for kind, found in kinds.items() if found)
