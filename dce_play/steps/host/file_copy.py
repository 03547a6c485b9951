"""Copy a file byte for byte, whole and durably, unless the copy is there already. Never into the archive."""

import filecmp
import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

from dce_play.plugin import Change, Context, Effects, Info, StepFailed, StepPlan, StepResult, View
from dce_play.system.durable.named_outputs import replaceable
from dce_play.system.durable.whole_files import is_below, replacing

NAME = "file.copy"
EFFECTS = Effects.LOCAL
REPEATABLE = True
REHEARSABLE = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Params:
    """From where to where."""

    source: Annotated[Path, Info(help="The file to copy.")]
    target: Annotated[Path, Info(help="The copy; its folder exists.")]


@dataclass(frozen=True, slots=True, kw_only=True)
class Outputs:
    """The copy."""

    path: Annotated[str, Info(help="Where the copy is.")]
    size: Annotated[int, Info(help="How long it is.", unit="bytes")]


def plan(params: Params, view: View, /) -> StepPlan:
    """Compare the two files."""
    same = _is_done(params, view)
    change = Change(what=f"copy {params.source} to {params.target}", path=params.target)
    return StepPlan(
        summary=f"{params.target} is a copy already" if same else f"would copy {params.source} to {params.target}",
        changes=() if same else (change,),
        outputs={"path": str(params.target), "size": params.source.stat().st_size},
    )


def apply(params: Params, ctx: Context, /) -> StepResult:
    """Copy it."""
    if _is_done(params, ctx):
        return StepResult(changed=False, summary=f"{params.target} is a copy already", outputs=_outputs(params))
    with replacing(replaceable(params.target, what="the copy")) as new:
        shutil.copy2(params.source, new.path)
    return StepResult(changed=True, summary=f"copied {params.source} to {params.target}", outputs=_outputs(params))


def _is_done(params: Params, view: View) -> bool:
    if is_below(params.target, view.archive_root):
        raise StepFailed(f"{params.target} is below the archive root", hint="only steps of the archive write there")
    if not params.source.is_file():
        raise StepFailed(f"there is no file {params.source}")
    return params.target.is_file() and filecmp.cmp(params.source, params.target, shallow=False)


def _outputs(params: Params) -> Outputs:
    return Outputs(path=str(params.target), size=params.target.stat().st_size)
