"""Read a target's channel files from end to end and fail when something is wrong with them.

Files that did not change since their last audit are not read, unless ``full`` asks for it. Never writes to the archive.
"""

from dataclasses import dataclass
from typing import Annotated

from dce_play.discord.archive.audit.findings import Finding, Level
from dce_play.discord.archive.audit.index import index_in
from dce_play.discord.archive.audit.tree import TreeAudit, audit_tree
from dce_play.discord.archive.folder.naming import shown
from dce_play.discord.archive.folder.seeds import json_files
from dce_play.layout import TargetLayout
from dce_play.plugin import Context, Effects, Info, StepFailed, StepPlan, StepResult, View
from dce_play.source import JsonValue
from dce_play.system.counted import counted

NAME = "archive.audit"
EFFECTS = Effects.LOCAL
REPEATABLE = True
REHEARSABLE = True


@dataclass(frozen=True, slots=True, kw_only=True)
class Params:
    """Whose files, and how thoroughly."""

    target: Annotated[str, Info(help="Name of the target, enabled or not; empty: all targets of the run.")] = ""
    full: Annotated[bool, Info(help="Read every byte, whatever an earlier audit saw.")] = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Outputs:
    """What was found."""

    file_count: Annotated[int, Info(help="Files that were audited.")]
    message_count: Annotated[int, Info(help="Messages in them.")]
    findings: Annotated[
        tuple[dict[str, JsonValue], ...],
        Info(help="One mapping each: path, rule, level, offset, message_id, detail, repair."),
    ]


def plan(params: Params, view: View, /) -> StepPlan:
    """Count the files."""
    count = sum(1 for target in view.chosen_targets(*_names(params)) for _ in json_files(target.output_dir))
    return StepPlan(summary=f"would audit {counted(count, 'file')}")


def apply(params: Params, ctx: Context, /) -> StepResult:
    """Audit."""
    tree = audit_tree(
        [TargetLayout(target.output_dir) for target in ctx.chosen_targets(*_names(params))],
        now=ctx.clock.now(),
        index=index_in(ctx.environment),
        full=params.full,
        progress=lambda done, total: ctx.reporter.progress(done, total, "bytes"),
    )
    for finding in tree.findings:
        prefix = "INVALID\t" if finding.level is Level.ERROR else "note\t"
        ctx.reporter.say(f"{prefix}{shown(finding.path)}\t{finding.rule.value}: {finding.detail}")
    outputs = Outputs(
        file_count=len(tree.files),
        message_count=tree.message_count,
        findings=tuple(_plain(finding) for finding in tree.findings),
    )
    if not tree.ok:
        errors = [finding for finding in tree.findings if finding.level is Level.ERROR]
        raise StepFailed(_told(tree, errors), hint=errors[0].repair, outputs=outputs)
    ctx.reporter.note("All checked archive JSON files are valid.")
    return StepResult(
        changed=False,
        summary=f"{counted(len(tree.files), 'file')}, {counted(tree.message_count, 'message')}, all valid",
        outputs=outputs,
    )


def _told(tree: TreeAudit, errors: list[Finding]) -> str:
    invalid = sum(not file.ok for file in tree.files)
    return (
        f"{counted(invalid, 'invalid archive JSON file')}, {counted(len(errors), 'finding')}; first: {errors[0].detail}"
    )


def _plain(finding: Finding) -> dict[str, JsonValue]:
    return {
        "path": shown(finding.path),
        "rule": finding.rule.value,
        "level": finding.level.value,
        "offset": finding.offset,
        "message_id": finding.message_id,
        "detail": finding.detail,
        "repair": finding.repair,
    }


def _names(params: Params) -> tuple[str, ...]:
    return (params.target,) if params.target else ()
