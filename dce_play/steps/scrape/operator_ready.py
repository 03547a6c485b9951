"""Check that this machine can scrape the chosen targets now: disk, token, exporter, memory, folders, lock, clock.

Every check runs and prints one line; the step fails when one of them failed. The token is looked for, not tried, and
never shown.
"""

from dataclasses import dataclass
from typing import Annotated, ClassVar

from dce_play.discord.exporters.choose import AUTO, ExporterName, chosen_exporter
from dce_play.discord.exporters.engines import detect_engine
from dce_play.discord.scrape.readiness import (
    Check,
    Verdict,
    clock_check,
    disk_checks,
    exporter_checks,
    folder_checks,
    lock_check,
    memory_checks,
    temp_checks,
    token_checks,
)
from dce_play.discord.targets.model import Target
from dce_play.errors import DcePlayError, ExitCode
from dce_play.layout import state_folder
from dce_play.plugin import Context, Effects, Info, StepFailed, StepResult
from dce_play.source import JsonValue

NAME = "operator.ready"
EFFECTS = Effects.NONE
REPEATABLE = True
REHEARSABLE = True
PROGRAMS = frozenset({"podman", "docker", "podman-compose", "docker-compose"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Params:
    """How much to check."""

    disk_only: Annotated[bool, Info(help="Only the disk: needs neither token nor engine.")] = False
    token: Annotated[bool, Info(help="Whether a token must be there; a salvage needs none.")] = True


@dataclass(frozen=True, slots=True, kw_only=True)
class Outputs:
    """Each check's result."""

    checks: Annotated[
        tuple[dict[str, JsonValue], ...], Info(help="One mapping each: name, verdict (ok, warn, fail), detail.")
    ]


class NoUsableToken(StepFailed):
    """All is ready but the token."""

    exit_code: ClassVar[ExitCode] = ExitCode.AUTHENTICATION


def apply(params: Params, ctx: Context, /) -> StepResult:
    """Run every check, then fail if one failed."""
    ctx.reporter.note("Operator readiness checks")
    places = [ctx.targets_file.archive_root, ctx.folder, state_folder(ctx.environment)]
    checks = disk_checks(places, ctx.environment)
    if not params.disk_only:
        checks += _rest(params, ctx, ctx.chosen_targets())
    for check in checks:
        prefix = "" if check.verdict is Verdict.OK else f"{check.verdict.upper()}: "
        tell = ctx.reporter.say if prefix else ctx.reporter.note
        tell(f"{prefix}{check.detail}")
    outputs = Outputs(checks=tuple(_plain(check) for check in checks))
    failed = [check for check in checks if check.verdict is Verdict.FAIL]
    if failed:
        more = f" (and {len(failed) - 1} more)" if len(failed) > 1 else ""
        only_token = all(check.name == "auth" for check in failed)
        failure = NoUsableToken if only_token else StepFailed
        raise failure(f"not ready: {failed[0].detail}{more}", hint="mend what is marked FAIL above", outputs=outputs)
    ctx.reporter.note(f"disk-only: ok (config {ctx.targets_file.path})" if params.disk_only else "Operator ready.")
    return StepResult(changed=False, summary="ready", outputs=outputs)


def _rest(params: Params, ctx: Context, targets: tuple[Target, ...]) -> list[Check]:
    checks = token_checks(ctx.environment, ctx.folder) if params.token else []
    checks += memory_checks(targets, ctx.environment)
    checks += exporter_checks(targets, ctx.environment) if params.token else []
    checks += folder_checks(ctx.targets_file, targets)
    checks.append(lock_check(ctx.targets_file.archive_root, ctx.environment))
    checks += temp_checks(targets, ctx.clock.now())
    checks.append(clock_check(ctx.targets_file, targets, ctx.clock.now()))
    names = {chosen_exporter(target.exporter or AUTO, ctx.environment) for target in targets}
    if ExporterName.CONTAINER in names:
        checks.append(_engine(ctx))
    return checks


def _engine(ctx: Context) -> Check:
    try:
        engine = detect_engine(ctx.executor, ctx.environment)
    except DcePlayError as error:
        return Check(name="engine", verdict=Verdict.FAIL, detail=f"engine: {error}; {error.hint}")
    return Check(name="engine", verdict=Verdict.OK, detail=f"compose: {engine.name}")


def _plain(check: Check) -> dict[str, JsonValue]:
    return {"name": check.name, "verdict": check.verdict.value, "detail": check.detail}
