"""Say how the steps since the last summary ended, one line each, with its duration.

Made for ``always``: it tells of failures too, and never fails itself.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Annotated

from dce_play.plugin import Context, Effects, Info, StepRecord, StepResult
from dce_play.system.counted import counted

NAME = "report.summary"
EFFECTS = Effects.NONE
REPEATABLE = True
REHEARSABLE = True


@dataclass(frozen=True, slots=True, kw_only=True)
class Params:
    """What to tell."""

    title: Annotated[str, Info(help="Heading; empty for none")] = ""
    skipped: Annotated[bool, Info(help="Tell of skipped steps too")] = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Outputs:
    """The counts."""

    step_count: Annotated[int, Info(help="How many steps ended since the last summary")]
    failed_count: Annotated[int, Info(help="How many of them failed")]
    changed_count: Annotated[int, Info(help="How many of them changed something")]


def apply(params: Params, ctx: Context, /) -> StepResult:
    """Tell of the records."""
    if params.title:
        ctx.reporter.say(params.title)
    records = _since_last_summary(ctx.records)
    for record in records:
        if record.status != "skipped" or params.skipped:
            ctx.reporter.say(_line(record))
    failed = sum(1 for record in records if record.status == "failed")
    changed = sum(1 for record in records if record.status == "changed")
    return StepResult(
        changed=False,
        summary=f"{counted(len(records), 'step')}, {changed} changed something, {failed} failed",
        outputs=Outputs(step_count=len(records), failed_count=failed, changed_count=changed),
    )


def _since_last_summary(records: Sequence[StepRecord]) -> Sequence[StepRecord]:
    begin = len(records)
    while begin and records[begin - 1].uses != NAME:
        begin -= 1
    return records[begin:]


def _line(record: StepRecord) -> str:
    summary = f": {record.summary}" if record.summary else ""
    return f"{record.status:<8} {record.duration_s:7.1f} s  {record.name}{summary}"
