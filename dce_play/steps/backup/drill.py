"""Restore a backup into a throw-away engine and count what came of it. The live service is never touched."""

from dataclasses import dataclass
from typing import Annotated

import msgspec

from dce_play.backup.desk import Desk, places_of
from dce_play.backup.protocols import DrillOptions
from dce_play.backup.restore.drill import drill_entry
from dce_play.backup.service.services import LocalServices, services_around
from dce_play.playbook.document.document import load_document
from dce_play.plugin import Change, Context, Effects, Info, StepFailed, StepPlan, StepResult, View
from dce_play.source import JsonValue

NAME = "backup.drill"
EFFECTS = Effects.LOCAL
REPEATABLE = True
REHEARSABLE = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Params:
    """Which one, and with which keys."""

    backup: Annotated[str, Info(help="File name, path, MODULE@latest or MODULE@STAMP.", example="uptime-kuma@latest")]
    identity: Annotated[str, Info(help="Reference to the key of an encrypted one.", example="file:/root/key")] = ""
    unseal: Annotated[str, Info(help="Reference to the original unseal key (class C).")] = ""
    modules: Annotated[
        str, Info(help="Definitions: a folder with */module.yaml, or a modules file; empty: as the command line.")
    ] = ""
    backup_root: Annotated[str, Info(help="Folder of the backups; empty: as the command line.")] = ""
    classes: Annotated[str, Info(help="A class table that is asked before ours; empty: as the command line.")] = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Outputs:
    """What came of it."""

    restored: Annotated[dict[str, JsonValue], Info(help="What was counted.")]
    differences: Annotated[tuple[dict[str, JsonValue], ...], Info(help="One mapping each: what, expected, restored.")]


def plan(params: Params, _view: View, /) -> StepPlan:
    """Tell what would be drilled."""
    return StepPlan(summary=f"would drill {params.backup}", changes=(Change(what=f"drill {params.backup}"),))


def apply(params: Params, ctx: Context, /) -> StepResult:
    """Drill it.

    Raises: StepFailed, when something else is restored; BackupError.
    """
    entry = _desk(params, ctx).entry(params.backup)
    options = DrillOptions(unseal=params.unseal or None)
    found = drill_entry(entry, _services(ctx), options, identity=params.identity or None)
    differences = msgspec.to_builtins(found.differences)
    outputs = Outputs(restored=found.restored, differences=tuple(differences))
    if found.differences:
        first = found.differences[0]
        raise StepFailed(f"{entry.file} restores something else: {first.what}", hint="take a new one", outputs=outputs)
    return StepResult(changed=True, summary=f"{entry.file} restores, level {found.level}", outputs=outputs)


def _desk(params: Params, view: View) -> Desk:
    places = places_of(view.folder, params.modules, params.backup_root, params.classes)
    return Desk(places, view.environment, view.clock, load_document)


def _services(ctx: Context) -> LocalServices:
    return services_around(ctx.executor, ctx.environment, ctx.clock, resolve=ctx.secrets.resolve, say=ctx.reporter.say)
