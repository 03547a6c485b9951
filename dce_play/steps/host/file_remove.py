"""Remove a file, if it is there. Folders, and whatever lies below the archive root, are left alone."""

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

from dce_play.plugin import Change, Context, Effects, Info, StepFailed, StepPlan, StepResult, View
from dce_play.system.durable.whole_files import is_below, sync_folder

NAME = "file.remove"
EFFECTS = Effects.LOCAL
REPEATABLE = True
REHEARSABLE = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Params:
    """Which file."""

    path: Annotated[Path, Info(help="The file, or a link, which is removed itself.")]


@dataclass(frozen=True, slots=True, kw_only=True)
class Outputs:
    """Whether there was something to remove."""

    existed: Annotated[bool, Info(help="Whether the file was there.")]


def plan(params: Params, view: View, /) -> StepPlan:
    """Look whether it is there."""
    if not _exists(params, view):
        return StepPlan(summary=f"{params.path} is not there", outputs={"existed": False})
    change = Change(what=f"remove {params.path}", path=params.path)
    return StepPlan(summary=f"would remove {params.path}", changes=(change,), outputs={"existed": True})


def apply(params: Params, ctx: Context, /) -> StepResult:
    """Remove it."""
    if not _exists(params, ctx):
        return StepResult(changed=False, summary=f"{params.path} is not there", outputs=Outputs(existed=False))
    params.path.unlink()
    sync_folder(params.path.parent)
    return StepResult(changed=True, summary=f"removed {params.path}", outputs=Outputs(existed=True))


def _exists(params: Params, view: View) -> bool:
    path = params.path
    if is_below(path, view.archive_root):
        raise StepFailed(f"{path} is below the archive root", hint="archives only grow; nothing there is removed")
    if path.is_dir() and not path.is_symlink():
        raise StepFailed(f"{path} is a folder", hint="this step removes files only")
    return path.is_symlink() or path.exists()
