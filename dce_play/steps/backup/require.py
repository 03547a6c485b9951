"""Demand a fresh verified backup of a module, before anything is applied to it. Takes none."""

from dataclasses import dataclass
from typing import Annotated

from dce_play.backup.keep.require import require
from dce_play.plugin import Context, Duration, Effects, Info, StepFailed, StepResult
from dce_play.steps.backup_desk import BackupRoot, ClassTable, ModulesPlace, desk_of

NAME = "backup.require"
EFFECTS = Effects.NONE
REPEATABLE = True
REHEARSABLE = False

_HOUR = Duration(3600.0)


@dataclass(frozen=True, slots=True, kw_only=True)
class Params:
    """Of what, how fresh, and how thoroughly verified."""

    module: Annotated[str, Info(help="Name of the module.", example="uptime-kuma")]
    max_age: Annotated[Duration, Info(help="How old it may be.", example="1h")] = _HOUR
    min_level: Annotated[int, Info(help="How far it must be verified.", minimum=0, maximum=3)] = 2
    consistency: Annotated[
        tuple[str, ...], Info(help="Which kinds will do; empty: any.", example=["logical", "quiesced"])
    ] = ()
    modules: ModulesPlace = ""
    backup_root: BackupRoot = ""
    classes: ClassTable = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Outputs:
    """The backup that was found."""

    file: Annotated[str, Info(help="Its name in backup_root.")]
    age_s: Annotated[float, Info(help="How old it is.", unit="s")]
    level: Annotated[int, Info(help="How far it was verified.")]


def apply(params: Params, ctx: Context, /) -> StepResult:
    """Look.

    Raises: StepFailed, when there is none; BackupError, for a module that nobody knows.
    """
    desk = desk_of(params, ctx)
    catalog = desk.catalog()
    desk.known((params.module,), catalog)
    found = require(
        params.module,
        catalog,
        now=desk.now,
        max_age_s=params.max_age,
        min_level=params.min_level,
        consistency=params.consistency,
    )
    if found.file is None:
        raise StepFailed(found.reason, hint=desk.in_words(found.hint))
    outputs = Outputs(file=found.file, age_s=found.age_s or 0.0, level=found.level or 0)
    return StepResult(changed=False, summary=f"{found.file}, level {found.level}", outputs=outputs)
