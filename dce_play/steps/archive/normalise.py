"""Write a channel file anew in the exporter's layout, so that it can be appended to. The original is kept.

A file that needs no normalising, is left alone.
"""

from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Annotated

from dce_play.discord.archive.folder.places import layout_of
from dce_play.discord.archive.merge.adopt import needs_normalising
from dce_play.discord.archive.merge.normalise import confirm, kept_originals, normalise
from dce_play.discord.archive.scan.head import read_head
from dce_play.errors import UsageError
from dce_play.plugin import Change, Context, Effects, Info, StepPlan, StepResult, View
from dce_play.system.counted import counted
from dce_play.system.durable.whole_files import is_below

NAME = "archive.normalise"
EFFECTS = Effects.ARCHIVE
REPEATABLE = True
REHEARSABLE = True


@dataclass(frozen=True, slots=True, kw_only=True)
class Params:
    """Which file, and what of it."""

    file: Annotated[Path, Info(help="The channel file, below the archive root.")]
    refresh_head: Annotated[bool, Info(help="Give the head the time of the newest export that went in.")] = False
    confirm: Annotated[
        bool, Info(help="Instead, remove the originals that are kept of the file's channel: you are content.")
    ] = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Outputs:
    """What came of it."""

    path: Annotated[str, Info(help="The channel file.")]
    changed: Annotated[bool, Info(help="Whether it was written anew.")] = False
    original: Annotated[str, Info(help="Where the file as it was is kept; empty when nothing was to be done.")] = ""
    before_count: Annotated[int | None, Info(help="Messages before; null when nothing was to be done.")] = None
    message_count: Annotated[int | None, Info(help="Messages in the new file; null when nothing was to be done.")] = (
        None
    )
    repeated: Annotated[int, Info(help="Messages left out because an earlier one has the same id.")] = 0
    digest: Annotated[str, Info(help="sha256 over the messages kept: the same of the original and the new file.")] = ""
    removed: Annotated[tuple[str, ...], Info(help="Originals that were removed, with confirm.")] = ()


def plan(params: Params, view: View, /) -> StepPlan:
    """Look whether it is needed."""
    file = _file(params, view)
    if params.confirm:
        kept = _kept(file)
        return StepPlan(
            summary=f"would remove {counted(len(kept), 'original')}",
            changes=tuple(Change(what=f"remove {path.name}", path=path) for path in kept),
            outputs=asdict(Outputs(path=str(file), removed=tuple(map(str, kept)))),
        )
    needed = _needed(params)
    change = Change(what=f"normalise {file.name}", path=file)
    return StepPlan(
        summary=f"would normalise {file}" if needed else f"{file.name} needs no normalising",
        changes=(change,) if needed else (),
        outputs=asdict(Outputs(path=str(file), changed=needed)),
    )


def apply(params: Params, ctx: Context, /) -> StepResult:
    """Normalise."""
    file = _file(params, ctx)
    if params.confirm:
        removed = confirm(layout_of(file), read_head(file).channel_id)
        outputs = Outputs(path=str(file), removed=tuple(map(str, removed)))
        return StepResult(
            changed=bool(removed), summary=f"removed {counted(len(removed), 'original')}", outputs=outputs
        )
    if not _needed(params):
        summary = f"{file.name} needs no normalising"
        return StepResult(changed=False, summary=summary, outputs=Outputs(path=str(file)))
    done = normalise(file, layout=layout_of(file), run_id=ctx.run_id, clock=ctx.clock, refresh_head=params.refresh_head)
    return StepResult(
        changed=True,
        summary=f"normalised {file.name}: {done.before_count} -> {counted(done.after_count, 'message')}",
        outputs=Outputs(
            path=str(file),
            changed=True,
            original=str(done.original),
            before_count=done.before_count,
            message_count=done.after_count,
            repeated=done.repeated,
            digest=done.digest,
        ),
    )


def _needed(params: Params) -> bool:
    return params.refresh_head or needs_normalising(params.file)


def _kept(file: Path) -> list[Path]:
    return kept_originals(layout_of(file), read_head(file).channel_id)


def _file(params: Params, view: View) -> Path:
    if not is_below(params.file, view.archive_root):
        raise UsageError(f"{params.file} is not below the archive root", hint="the lock of this run does not guard it")
    return params.file
