"""Tell how much space is left where the archives, our state and scratch files lie.

One line a file system, like ``df``. Fails nothing: ``operator.ready`` is the check with a threshold.
"""

from dataclasses import dataclass
from typing import Annotated

from dce_play.layout import state_folder
from dce_play.plugin import Context, Effects, Info, StepResult
from dce_play.source import JsonValue
from dce_play.system.counted import counted
from dce_play.system.disk import disk_space

NAME = "disk.report"
EFFECTS = Effects.NONE
REPEATABLE = True
REHEARSABLE = True


@dataclass(frozen=True, slots=True, kw_only=True)
class Params:
    """Which folders to look at."""

    paths: Annotated[tuple[str, ...], Info(help="More folders to report on.", example=["/srv/archives"])] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Outputs:
    """What was found."""

    file_systems: Annotated[
        tuple[dict[str, JsonValue], ...],
        Info(help="One mapping each: path, mount, free_bytes, total_bytes."),
    ]


def apply(params: Params, ctx: Context, /) -> StepResult:
    """Report the archive root's, the working folder's and the state folder's file systems, and those asked for."""
    wanted = [
        ctx.archive_root,
        ctx.folder,
        state_folder(ctx.environment),
        *(ctx.folder / path for path in params.paths),
    ]
    rows: dict[str, dict[str, JsonValue]] = {}
    for path in wanted:
        if path is not None:
            space = disk_space(path)
            rows.setdefault(
                str(space.mount.folder),
                {
                    "path": str(path),
                    "mount": str(space.mount.folder),
                    "free_bytes": space.free_bytes,
                    "total_bytes": space.total_bytes,
                },
            )
    ctx.reporter.note("Disk summary")
    for mount, row in rows.items():
        free, total = _mib(row["free_bytes"]), _mib(row["total_bytes"])
        ctx.reporter.note(f"  {mount}: {free} of {total} MiB free ({row['path']})")
    least = min((_mib(row["free_bytes"]) for row in rows.values()), default=0) / 1024
    where = f" on the fullest of {counted(len(rows), 'file system')}" if len(rows) > 1 else ""
    return StepResult(
        changed=False,
        summary=f"{least:.{0 if least >= 10 else 1}f} GiB free{where}",
        outputs=Outputs(file_systems=tuple(rows.values())),
    )


def _mib(size: JsonValue) -> int:
    return size >> 20 if isinstance(size, int) else 0
