"""Check that a file system has enough room."""

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

from dce_play.plugin import Context, Effects, Info, Size, StepFailed, StepResult
from dce_play.system.disk import disk_space

NAME = "disk.free"
EFFECTS = Effects.NONE
REPEATABLE = True
REHEARSABLE = True

_GIB = Size(1 << 30)


@dataclass(frozen=True, slots=True, kw_only=True)
class Params:
    """How much room, and where."""

    path: Annotated[
        Path | None, Info(help="A path on the file system; default: the archive root, else the working folder.")
    ] = None
    at_least: Annotated[Size, Info(help="Room that must be free for an ordinary user.", minimum=0)] = _GIB


@dataclass(frozen=True, slots=True, kw_only=True)
class Outputs:
    """What there is."""

    free: Annotated[int, Info(help="Room for an ordinary user.", unit="bytes")]
    total: Annotated[int, Info(help="Size of the file system.", unit="bytes")]
    mount: Annotated[str, Info(help="Where the file system is mounted.")]


def apply(params: Params, ctx: Context, /) -> StepResult:
    """Measure, and compare."""
    path = params.path or ctx.archive_root or ctx.folder
    space = disk_space(path)
    outputs = Outputs(free=space.free_bytes, total=space.total_bytes, mount=str(space.mount.folder))
    if space.free_bytes < params.at_least:
        raise StepFailed(
            f"{space.mount.folder} has {space.free_mib} MiB free, {params.at_least // (1 << 20)} MiB are needed",
            hint=f"make room on the file system of {path}",
            outputs=outputs,
        )
    return StepResult(changed=False, summary=f"{space.free_mib} MiB free on {space.mount.folder}", outputs=outputs)
