"""Check that each target's folder holds channel files to go on from, and show all targets as a table.

Every target gets its row; the step fails when one of the enabled ones cannot be used.
"""

from dataclasses import dataclass
from typing import Annotated, Literal

from dce_play.discord.archive.folder.naming import shown
from dce_play.discord.archive.view.table import TableEntry, archive_table, table_lines
from dce_play.discord.targets.model import Discover, Target, TargetKind
from dce_play.plugin import Context, Effects, Info, StepFailed, StepResult
from dce_play.source import JsonValue
from dce_play.system.counted import counted

NAME = "archive.verify"
EFFECTS = Effects.NONE
REPEATABLE = True
REHEARSABLE = True


@dataclass(frozen=True, slots=True, kw_only=True)
class Params:
    """Which targets."""

    selected_only: Annotated[bool, Info(help="Only the targets of this run; default: all of the targets file.")] = False
    broken_files: Annotated[
        Literal["fail", "warn"],
        Info(help="What broken files and twins mean: a failure, or a warning, as they stop only their own channels."),
    ] = "fail"


@dataclass(frozen=True, slots=True, kw_only=True)
class Outputs:
    """The table."""

    rows: Annotated[
        tuple[dict[str, JsonValue], ...],
        Info(help="One mapping a target: target, output_dir, json, seeded, map, status, ok, can_begin."),
    ]


def apply(params: Params, ctx: Context, /) -> StepResult:
    """Look, and tell."""
    entries = [
        TableEntry(
            name=target.name,
            folder=target.output_dir,
            enabled=target.enabled or target.name in ctx.selection.targets,
            memory=target.container_memory or "",
            may_be_new=_may_be_new(target),
        )
        for target in ctx.targets_file.targets
        if not params.selected_only or target.name in ctx.selection.targets
    ]
    rows = archive_table(entries)
    ctx.reporter.note(f"Archive root: {shown(ctx.targets_file.archive_root)}")
    for line in table_lines(rows):
        ctx.reporter.note(line)
    outputs = Outputs(rows=tuple(row.facts() for row in rows))
    failed = [row for row in rows if not (row.ok or (row.can_begin and params.broken_files == "warn"))]
    for row in rows:
        if not row.ok and row not in failed:
            ctx.reporter.say(f"WARN: {row.name}: {row.brief}")
    if failed:
        raise StepFailed(
            f"{len(failed)} enabled target(s) failed archive verification.",
            hint=(
                f"first: {failed[0].name}: {failed[0].status}; is the disk mounted? a target whose folder may be empty "
                "has guild_ids, channel_ids or discover: always"
            ),
            outputs=outputs,
        )
    if all(row.ok for row in rows):
        ctx.reporter.note("All enabled targets have archive directories with seeded channel exports.")
    return StepResult(
        changed=False,
        summary="archives ok" if all(row.ok for row in rows) else f"{counted(len(rows), 'target')} looked at",
        outputs=outputs,
    )


def _may_be_new(target: Target) -> bool:
    """Return whether the targets file says enough for a run to begin with an empty folder: patterns are only hints."""
    listed = target.kind is TargetKind.DMS or target.discover is Discover.ALWAYS
    return listed or bool(target.guild_ids or target.channel_ids)
