"""Record what the archives are, so that a proof can tell later that they only grew.

Put it before everything that writes, salvage included. Files that have not changed since an earlier snapshot are not
read again.
"""

from dataclasses import dataclass
from typing import Annotated

from dce_play.discord.archive.folder.naming import shown
from dce_play.discord.archive.proof.fingerprint_store import store_for
from dce_play.discord.archive.proof.snapshot import take_snapshot, target_seeds, write_snapshot
from dce_play.plugin import Context, Effects, Info, StepPlan, StepResult, View
from dce_play.system.counted import counted

NAME = "archive.snapshot"
EFFECTS = Effects.LOCAL
REPEATABLE = True
REHEARSABLE = True


@dataclass(frozen=True, slots=True, kw_only=True)
class Params:
    """Whose archives."""

    targets: Annotated[tuple[str, ...], Info(help="Names of targets; default: those of the run.")] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Outputs:
    """The record."""

    snapshot: Annotated[str, Info(help="Path of the snapshot, below the run folder.")]
    sha256: Annotated[str, Info(help="Of the snapshot's file.")]
    file_count: Annotated[int, Info(help="Channel files in it.")]
    message_count: Annotated[int, Info(help="Messages in them.")]
    skipped: Annotated[tuple[str, ...], Info(help="Files that could not be read.")]


def plan(params: Params, view: View, /) -> StepPlan:
    """Count the files."""
    count = sum(len(target_seeds(target.output_dir)) for target in view.chosen_targets(*params.targets))
    return StepPlan(summary=f"would record {counted(count, 'channel file')}")


def apply(params: Params, ctx: Context, /) -> StepResult:
    """Record them."""
    targets = ctx.chosen_targets(*params.targets)
    root = ctx.targets_file.archive_root
    snapshot = take_snapshot(
        root,
        now=ctx.clock.now(),
        folders=[target.output_dir for target in targets],
        channels=ctx.selection.channels,
        store=store_for(root, ctx.environment),
        prune=not ctx.selection.channels and len(targets) == len(ctx.targets_file.targets),
        on_progress=ctx.reporter.progress,
    )
    for path, reason in snapshot.skipped:
        ctx.reporter.say(f"WARN: skipping invalid JSON during snapshot: {shown(root / path)} ({reason})")
    for target in targets:
        if not any((root / file.path).is_relative_to(target.output_dir) for file in snapshot.files):
            ctx.reporter.note(f"No seeded archives found under {shown(target.output_dir)} for channel filter.")
    path = ctx.scratch / "snapshot.json"
    digest = write_snapshot(snapshot, path)
    count = sum(file.message_count for file in snapshot.files)
    return StepResult(
        changed=False,
        summary=f"{counted(len(snapshot.files), 'channel file')}, {counted(count, 'message')}",
        outputs=Outputs(
            snapshot=str(path),
            sha256=digest,
            file_count=len(snapshot.files),
            message_count=count,
            skipped=tuple(shown(skipped) for skipped, _ in snapshot.skipped),
        ),
    )
