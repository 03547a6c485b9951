"""Put what dead runs left behind into a target's archives. Needs no token and makes no request.

Exports that somebody may still be writing are left alone; what cannot be salvaged goes into quarantine, never away.
"""

from dataclasses import dataclass
from typing import Annotated, Literal

from dce_play.discord.archive.folder.naming import shown
from dce_play.discord.archive.salvage.report import Fate, SalvageItem, SalvageReport
from dce_play.discord.archive.salvage.salvage import salvage_target
from dce_play.discord.targets.model import Target
from dce_play.layout import TargetLayout
from dce_play.plugin import Change, Context, Effects, Info, StepFailed, StepPlan, StepResult, View
from dce_play.system.counted import counted

NAME = "archive.salvage"
EFFECTS = Effects.ARCHIVE
REPEATABLE = True
REHEARSABLE = True


@dataclass(frozen=True, slots=True, kw_only=True)
class Params:
    """Whose exports, and how strict to be."""

    target: Annotated[str, Info(help="Name of the target.")]
    on_retained: Annotated[
        Literal["fail", "warn"], Info(help="What to do when an archive cannot take an export, which is kept.")
    ] = "fail"


@dataclass(frozen=True, slots=True, kw_only=True)
class Outputs:
    """The counters."""

    examined: Annotated[int, Info(help="Exports that were left behind.")]
    active: Annotated[int, Info(help="Left alone: somebody may still be writing.")]
    salvaged: Annotated[int, Info(help="Put into an archive.")]
    discarded: Annotated[int, Info(help="Removed: they held nothing new.")]
    quarantined: Annotated[int, Info(help="Moved into quarantine.")]
    retained: Annotated[int, Info(help="Kept: the archive could not take them.")]
    orphan: Annotated[int, Info(help="Kept: deltas whose archive is not there.")]
    messages_added: Annotated[int, Info(help="Messages that came into archives.")]
    bytes_freed: Annotated[int, Info(help="Room that the removed exports gave back.", unit="bytes")]


def plan(params: Params, view: View, /) -> StepPlan:
    """Decide the same, and write nothing."""
    target = view.chosen_targets(params.target)[0]
    report = _salvage(target, view, dry_run=True)
    changes = tuple(_change(item) for item in report.items if item.fate not in _KEPT)
    return StepPlan(
        summary=f"would add {counted(report.messages_added, 'message')} from "
        f"{counted(report.count(Fate.SALVAGED), 'export')}",
        changes=changes,
        outputs=report.counters(),
    )


def apply(params: Params, ctx: Context, /) -> StepResult:
    """Salvage."""
    target = ctx.chosen_targets(params.target)[0]
    report = _salvage(target, ctx, dry_run=False)
    channels = len({item.channel_id for item in report.items})
    ctx.reporter.note(
        f"Target '{target.name}': salvaging stale temp exports for {channels} channel(s) "
        f"under {shown(target.output_dir)} (no Discord export)."
    )
    for item in report.items:
        ctx.reporter.note(item.line)
        ctx.reporter.item(item.channel_id, item.fate.value, item.line)
    outputs = Outputs(**report.counters())
    if report.stopped is not None:
        raise StepFailed(str(report.stopped), hint=report.stopped.hint, outputs=outputs)
    retained = [item for item in report.items if item.fate is Fate.RETAINED]
    if retained and params.on_retained == "fail":
        raise StepFailed(
            f"target {target.name!r}: {counted(len(retained), 'export')} could not be salvaged; "
            f"first: {retained[0].line}",
            hint="they are kept; mend the archive and salvage again",
            outputs=outputs,
        )
    ctx.reporter.note(f"Target '{target.name}': salvage completed.")
    changed = any(item.fate not in _KEPT for item in report.items)
    return StepResult(changed=changed, summary=_summary(report), outputs=outputs)


_KEPT = frozenset({Fate.ACTIVE, Fate.RETAINED, Fate.ORPHAN})


def _salvage(target: Target, view: View, *, dry_run: bool) -> SalvageReport:
    return salvage_target(
        TargetLayout(target.output_dir),
        run_id=view.run_id,
        clock=view.clock,
        environment=view.environment,
        channels=view.selection.channels,
        dry_run=dry_run,
    )


def _summary(report: SalvageReport) -> str:
    if not report.examined:
        return "nothing was left behind"
    salvaged = f"{report.count(Fate.SALVAGED)} of {counted(report.examined, 'export')}"
    return f"+{counted(report.messages_added, 'message')} from {salvaged}"


def _change(item: SalvageItem) -> Change:
    return Change(what=item.line, path=item.archive or item.place)
