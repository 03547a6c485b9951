"""Look at this host's journal, disks, certificates, tokens and archives. Asks no receiver. Fails on what is red."""

from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Annotated, Any

from dce_play.doctor.checkup import Subject, checkup
from dce_play.doctor.rows import Level, Row
from dce_play.plugin import Context, Duration, Effects, Info, StepFailed, StepResult
from dce_play.system.counted import counted
from dce_play.transfer.sending.settings import find_config, load_config

NAME = "doctor.check"
EFFECTS = Effects.NONE
REPEATABLE = True
REHEARSABLE = False
PROGRAMS = frozenset({"journalctl"})

_SINCE = Duration(600.0)


@dataclass(frozen=True, slots=True, kw_only=True)
class Params:
    """What to look at."""

    config: Annotated[str, Info(help="The ship.toml; empty: DCE_SHIP_CONFIG, else the system's, if there is one.")] = ""
    since: Annotated[Duration, Info(help="How far back the journal is read.")] = _SINCE


@dataclass(frozen=True, slots=True, kw_only=True)
class Outputs:
    """What was seen."""

    rows: Annotated[tuple[dict[str, Any], ...], Info(help="One row a thing: level, code, what, count, fix.")]


def apply(params: Params, ctx: Context, /) -> StepResult:
    """Look."""
    path = find_config(Path(ctx.folder, params.config) if params.config else None, ctx.environment)
    ship = load_config(path) if params.config or path.exists() else None
    rows = checkup(
        Subject(ship=ship, targets=ctx.targets),
        since=timedelta(seconds=params.since),
        now=ctx.clock.now(),
        environment=ctx.environment,
        executor=ctx.executor,
    )
    outputs = Outputs(rows=tuple(_facts(row) for row in rows))
    red = [row for row in rows if row.level is Level.RED]
    for row in rows:
        ctx.reporter.item(row.code, str(row.level), row.what)
    if red:
        fix = "\n".join(line for row in red for line in row.fix)
        raise StepFailed(f"{len(red)} red: {red[0].code}: {red[0].what}", hint=fix, outputs=outputs)
    yellow = sum(row.level is Level.YELLOW for row in rows)
    return StepResult(changed=False, summary=f"{counted(len(rows), 'row')}, {yellow} yellow, none red", outputs=outputs)


def _facts(row: Row) -> dict[str, Any]:
    return {"level": str(row.level), "code": row.code, "what": row.what, "count": row.count, "fix": list(row.fix)}
