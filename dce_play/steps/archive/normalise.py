"""Write a channel file anew in the exporter's layout, so that it can be appended to. The original is kept.

A file that needs no normalising, is left alone.
"""

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

from dce_play.discord.archive.folder.places import layout_of
from dce_play.discord.archive.merge.adopt import needs_normalising
from dce_play.discord.archive.merge.normalise import normalise
from dce_play.errors import UsageError
from dce_play.plugin import Change, Context, Effects, Info, StepPlan, StepResult, View
from dce_play.system.durable.whole_files import is_below

NAME = "archive.normalise"
EFFECTS = Effects.ARCHIVE
REPEATABLE = True
REHEARSABLE = True


@dataclass(frozen=True, slots=True, kw_only=True)
class Params:
    """Which file."""

    file: Annotated[Path, Info(help="The channel file, below the archive root.")]


@dataclass(frozen=True, slots=True, kw_only=True)
class Outputs:
    """What came of it."""

    original: Annotated[str, Info(help="Where the file as it was is kept; empty when nothing was to be done.")]
    message_count: Annotated[int | None, Info(help="Messages in the new file; null when nothing was to be done.")]


def plan(params: Params, view: View, /) -> StepPlan:
    """Look whether it is needed."""
    if not _needed(params, view):
        return StepPlan(summary=f"{params.file.name} needs no normalising")
    change = Change(what=f"normalise {params.file.name}", path=params.file)
    return StepPlan(summary=f"would normalise {params.file}", changes=(change,))


def apply(params: Params, ctx: Context, /) -> StepResult:
    """Normalise."""
    if not _needed(params, ctx):
        return StepResult(
            changed=False,
            summary=f"{params.file.name} needs no normalising",
            outputs=Outputs(original="", message_count=None),
        )
    done = normalise(params.file, layout=layout_of(params.file), run_id=ctx.run_id, clock=ctx.clock)
    return StepResult(
        changed=True,
        summary=f"normalised {params.file.name}: {done.before_count} -> {done.after_count} messages",
        outputs=Outputs(original=str(done.original), message_count=done.after_count),
    )


def _needed(params: Params, view: View) -> bool:
    if not is_below(params.file, view.archive_root):
        raise UsageError(f"{params.file} is not below the archive root", hint="the lock of this run does not guard it")
    return needs_normalising(params.file)
