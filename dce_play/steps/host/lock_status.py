"""Look whether another run holds the archive root's lock, without touching it.

The run's own lock is none of another's: under it, this step tells ``held by this run`` and does not warn.
"""

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Literal

from dce_play.discord.lock.places import archive_lock_status
from dce_play.errors import UsageError
from dce_play.plugin import Context, Effects, Info, StepFailed, StepResult
from dce_play.system.lock.status import Verdict

NAME = "lock.status"
EFFECTS = Effects.NONE
REPEATABLE = True
REHEARSABLE = True

_WARNING = "WARN: scrape lock is held; wait for the active scrape or confirm it is stale before starting another run."


@dataclass(frozen=True, slots=True, kw_only=True)
class Params:
    """Which lock, and what to do when another has it."""

    root: Annotated[Path | None, Info(help="The archive root; default: that of the targets file.")] = None
    when_held: Annotated[
        Literal["warn", "fail", "report"], Info(help="What another run's lock means: a warning, a failure, or nothing.")
    ] = "warn"


@dataclass(frozen=True, slots=True, kw_only=True)
class Outputs:
    """What was seen."""

    path: Annotated[str, Info(help="The lock file.")]
    verdict: Annotated[str, Info(help="held, free, stale, suspect, unknown or foreign.")]
    state: Annotated[str, Info(help="The verdict in the operators' words.")]
    ours: Annotated[bool, Info(help="Whether it is this run that holds it.")]
    pid: Annotated[int | None, Info(help="The pid in the lock's note.")]


def apply(params: Params, ctx: Context, /) -> StepResult:
    """Look, and tell."""
    root = params.root or ctx.archive_root
    if root is None:
        raise UsageError("there is no archive root whose lock could be looked at", hint="name it with root:")
    status = archive_lock_status(root, ctx.environment)
    state = "held by this run" if status.ours else status.state
    ctx.reporter.note("Scrape lock status")
    ctx.reporter.note(f"lock: {status.path}")
    ctx.reporter.note(f"state: {state}")
    outputs = Outputs(
        path=str(status.path),
        verdict=status.verdict,
        state=state,
        ours=status.ours,
        pid=status.meta.pid if status.meta else None,
    )
    if status.verdict is Verdict.HELD and not status.ours:
        if params.when_held == "fail":
            raise StepFailed(
                "Scrape lock is held; another scrape may be running",
                hint=f"inspect: dce-play lock status --root {root}",
                outputs=outputs,
            )
        if params.when_held == "warn":
            ctx.reporter.say(_WARNING)
    return StepResult(changed=False, summary=f"lock {'ours' if status.ours else state}", outputs=outputs)
