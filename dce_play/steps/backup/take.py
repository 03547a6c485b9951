"""Take a verified backup of a module. A person must be there: no param, variable or file can stand in for one."""

from dataclasses import dataclass
from typing import Annotated

import msgspec

from dce_play import __version__
from dce_play.backup.attended import admit, look
from dce_play.backup.take.options import TakeOptions
from dce_play.backup.take.take import TakeRun
from dce_play.backup.targets.upload import targets_of, upload_all
from dce_play.plugin import Change, Context, Effects, Info, StepFailed, StepPlan, StepResult, View
from dce_play.source import JsonValue
from dce_play.steps.backup_desk import BackupRoot, ClassTable, ModulesPlace, desk_of, services_of

NAME = "backup.take"
EFFECTS = Effects.LOCAL
REPEATABLE = False
REHEARSABLE = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Params:
    """Of what, and how thoroughly."""

    module: Annotated[str, Info(help="Name of the module.", example="uptime-kuma")]
    level: Annotated[int, Info(help="How far it is verified.", minimum=0, maximum=2)] = 2
    encrypt_to: Annotated[
        tuple[str, ...], Info(help="Recipients, age1… or gpg:FINGERPRINT; empty: the definition's.")
    ] = ()
    modules: ModulesPlace = ""
    backup_root: BackupRoot = ""
    classes: ClassTable = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Outputs:
    """The backup."""

    file: Annotated[str, Info(help="Its name in backup_root.")]
    path: Annotated[str, Info(help="Its path.")]
    bytes: Annotated[int, Info(help="Size as stored.", unit="bytes")]
    level: Annotated[int, Info(help="How far it was verified.")]
    consistency: Annotated[str, Info(help="logical, engine, quiesced, live, live-changed or crash.")]
    counts: Annotated[dict[str, JsonValue], Info(help="What it holds, counted.")]


def plan(params: Params, view: View, /) -> StepPlan:
    """Tell what would be taken. Looks at the definition only: the service is not asked."""
    module = desk_of(params, view).module(params.module)
    what = f"take a backup of {module.name}, class {module.class_name}"
    return StepPlan(summary=f"would {what}", changes=(Change(what=what),))


def apply(params: Params, ctx: Context, /) -> StepResult:
    """Take it.

    Raises: BackupError; StepFailed, when the service is unhealthy afterwards.
    """
    operator = admit(look(ctx.environment), allow_unattended=ctx.allow_unattended, what="taking a backup")
    desk = desk_of(params, ctx)
    services = services_of(desk, ctx)
    module = desk.module(params.module)
    options = TakeOptions(operator=operator, tool_version=__version__, level=params.level, encrypt_to=params.encrypt_to)
    targets_of(module, services)  # a secret or a library that they lack is told before anything is touched
    taken = TakeRun(module, services, desk.root, options).take()
    upload_all(taken.path, module, services)
    manifest = taken.manifest
    for warning in manifest.warnings:
        ctx.reporter.say(f"warning: {warning.id}: {warning.message}")
    outputs = Outputs(
        file=manifest.file,
        path=str(taken.path),
        bytes=manifest.bytes,
        level=manifest.verification.level,
        consistency=manifest.consistency,
        counts=msgspec.to_builtins(manifest.counts),
    )
    if taken.failure is not None:
        raise StepFailed(str(taken.failure), hint=desk.in_words(taken.failure.hint), outputs=outputs)
    return StepResult(
        changed=True, summary=f"{manifest.file}, verified at level {manifest.verification.level}", outputs=outputs
    )
