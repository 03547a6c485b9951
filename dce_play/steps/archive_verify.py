"""Check that each target's folder holds channel files to go on from, and show all targets as a table.

Every target gets its row; the step fails when one of the enabled ones cannot be used.
"""

from dataclasses import dataclass
from typing import Annotated

from dce_play.archive.naming import shown
from dce_play.archive.table import TableEntry, aligned, archive_table
from dce_play.errors import UsageError
from dce_play.plugin import Context, Effects, Info, StepFailed, StepResult
from dce_play.source import JsonValue

NAME = "archive.verify"
EFFECTS = Effects.NONE
REPEATABLE = True
REHEARSABLE = True


@dataclass(frozen=True, slots=True, kw_only=True)
class Params:
    """Which targets."""

    selected_only: Annotated[bool, Info(help="Only the targets of this run; default: all of the targets file.")] = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Outputs:
    """The table."""

    rows: Annotated[
        tuple[dict[str, JsonValue], ...],
        Info(help="One mapping a target: target, output_dir, json, seeded, map, status, ok."),
    ]


def apply(params: Params, ctx: Context, /) -> StepResult:
    """Look, and tell."""
    if ctx.targets is None:
        raise UsageError("there is no targets file", hint="name it with --config, or make one: dce-play targets add")
    entries = [
        TableEntry(
            name=target.name,
            folder=target.output_dir,
            enabled=target.enabled,
            memory=target.container_memory or "",
        )
        for target in ctx.targets.targets
        if not params.selected_only or target.name in ctx.selection.targets
    ]
    rows = archive_table(entries)
    ctx.reporter.say(f"Archive root: {shown(ctx.targets.archive_root)}")
    for line in aligned(rows):
        ctx.reporter.say(line)
    outputs = Outputs(rows=tuple(row.facts() for row in rows))
    failed = [row for row in rows if not row.ok]
    if failed:
        raise StepFailed(
            f"{len(failed)} enabled target(s) failed archive verification.",
            hint=f"first: {failed[0].name}: {failed[0].status}",
            outputs=outputs,
        )
    ctx.reporter.say("All enabled targets have archive directories with seeded channel exports.")
    return StepResult(changed=False, summary=f"{len(rows)} target(s) verified", outputs=outputs)
