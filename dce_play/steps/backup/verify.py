"""Read a backup again from the disk, and note in its manifest what was found."""

from dataclasses import dataclass
from typing import Annotated

import msgspec

from dce_play.backup.desk import Desk, places_of
from dce_play.backup.service.services import LocalServices, services_around
from dce_play.backup.take.verify import verify_entry
from dce_play.playbook.document.document import load_document
from dce_play.plugin import Change, Context, Effects, Info, StepFailed, StepPlan, StepResult, View
from dce_play.source import JsonValue

NAME = "backup.verify"
EFFECTS = Effects.LOCAL
REPEATABLE = True
REHEARSABLE = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Params:
    """Which one, and how thoroughly."""

    backup: Annotated[str, Info(help="File name, path, MODULE@latest or MODULE@STAMP.", example="uptime-kuma@latest")]
    level: Annotated[int, Info(help="1: stored bytes; 2: contents.", minimum=1, maximum=2)] = 2
    identity: Annotated[str, Info(help="Reference to the key of an encrypted one.", example="file:/root/key")] = ""
    modules: Annotated[
        str, Info(help="Definitions: a folder with */module.yaml, or a modules file; empty: as the command line.")
    ] = ""
    backup_root: Annotated[str, Info(help="Folder of the backups; empty: as the command line.")] = ""
    classes: Annotated[str, Info(help="A class table that is asked before ours; empty: as the command line.")] = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Outputs:
    """What was found."""

    level: Annotated[int, Info(help="The level that was reached.")]
    findings: Annotated[tuple[dict[str, JsonValue], ...], Info(help="One mapping each: id, message.")]


def plan(params: Params, _view: View, /) -> StepPlan:
    """Tell what would be read."""
    what = f"verify {params.backup} at level {params.level}"
    return StepPlan(summary=f"would {what}", changes=(Change(what=what),))


def apply(params: Params, ctx: Context, /) -> StepResult:
    """Read it.

    Raises: StepFailed, when it is not as it should be; BackupError.
    """
    entry = _desk(params, ctx).entry(params.backup)
    found = verify_entry(entry, _services(ctx), level=params.level, identity=params.identity or None)
    findings = msgspec.to_builtins(found.findings)
    outputs = Outputs(level=found.level, findings=tuple(findings))
    if not found.ok:
        raise StepFailed(f"{entry.file}: {found.findings[-1].message}", hint="take a new one", outputs=outputs)
    return StepResult(changed=True, summary=f"{entry.file} is whole, level {found.level}", outputs=outputs)


def _desk(params: Params, view: View) -> Desk:
    places = places_of(view.folder, params.modules, params.backup_root, params.classes)
    return Desk(places, view.environment, view.clock, load_document)


def _services(ctx: Context) -> LocalServices:
    return services_around(ctx.executor, ctx.environment, ctx.clock, resolve=ctx.secrets.resolve, say=ctx.reporter.say)
