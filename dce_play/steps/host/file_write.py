"""Write a text file, whole and durably, unless it says so already. Never into the archive.

A link is followed; a device or a FIFO is written through, never replaced.
"""

import difflib
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

from dce_play.plugin import Change, Context, Effects, Info, StepFailed, StepPlan, StepResult, View
from dce_play.system.durable.named_outputs import write_named
from dce_play.system.durable.whole_files import is_below

NAME = "file.write"
EFFECTS = Effects.LOCAL
REPEATABLE = True
REHEARSABLE = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Params:
    """The file and what it shall say."""

    path: Annotated[Path, Info(help="The file; its folder exists.")]
    content: Annotated[str, Info(help="All of its text, as UTF-8.")]
    mode: Annotated[
        str, Info(help="Octal permissions; default: as they are.", pattern="[0-7]{3,4}", example="0600")
    ] = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Outputs:
    """The file."""

    path: Annotated[str, Info(help="Where it is.")]
    size: Annotated[int, Info(help="How long it is.", unit="bytes")]


def plan(params: Params, view: View, /) -> StepPlan:
    """Compare the file with what it shall say."""
    data = params.content.encode()
    changes = () if _is_done(params, data, view) else (_change(params),)
    summary = f"would write {params.path}" if changes else f"{params.path} is as it shall be"
    return StepPlan(summary=summary, changes=changes, outputs={"path": str(params.path), "size": len(data)})


def apply(params: Params, ctx: Context, /) -> StepResult:
    """Write it."""
    data = params.content.encode()
    outputs = Outputs(path=str(params.path), size=len(data))
    if _is_done(params, data, ctx):
        return StepResult(changed=False, summary=f"{params.path} is as it shall be", outputs=outputs)
    write_named(params.path, data, what="the file", mode=int(params.mode, 8) if params.mode else None)
    return StepResult(changed=True, summary=f"wrote {params.path}", outputs=outputs)


def _is_done(params: Params, data: bytes, view: View) -> bool:
    if is_below(params.path, view.archive_root):
        raise StepFailed(f"{params.path} is below the archive root", hint="only steps of the archive write there")
    if not params.path.is_file() or params.path.read_bytes() != data:
        return False
    return not params.mode or params.path.stat().st_mode & 0o7777 == int(params.mode, 8)


def _change(params: Params) -> Change:
    before = params.path.read_text(encoding="utf-8", errors="replace") if params.path.is_file() else ""
    lines = difflib.unified_diff(
        before.splitlines(keepends=True), params.content.splitlines(keepends=True), "before", "after"
    )
    return Change(what=f"write {params.path}", path=params.path, diff="".join(lines))
