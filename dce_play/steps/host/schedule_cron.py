"""Let cron run a playbook: put our block into the user's crontab, replace it, or take it out.

Every other line of the crontab stays byte for byte; the block is between ``# BEGIN <job>`` and ``# END <job>``. The
scheduled command takes the archive lock itself, needs no terminal and exits non-zero on failure, so that cron mails.
"""

import difflib
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, ClassVar, Literal

from dce_play.discord.auth.discovery import places
from dce_play.discord.targets.select import check_narrowing
from dce_play.errors import DcePlayError, ExitCode
from dce_play.host.cron_fields import check_schedule, interval_schedule
from dce_play.host.cron_table import crontab_program, crontab_to_change, write_crontab
from dce_play.host.crontab import Job, check_name, install, job_line, remove
from dce_play.plugin import Change, Context, Effects, Info, StepPlan, StepResult, View

NAME = "schedule.cron"
EFFECTS = Effects.LOCAL
REPEATABLE = True
REHEARSABLE = False


_TAKES_A_BACKUP = "backup.take"


class NotForCron(DcePlayError):
    """A playbook that takes a backup needs a person, and cron is none."""

    exit_code: ClassVar[ExitCode] = ExitCode.INVALID

    def __init__(self, playbook: str) -> None:
        self.playbook = playbook
        super().__init__(
            f"the playbook {playbook} takes a backup, and cron must not",
            hint="let a person run it; what cron runs may demand a backup: backup.require",
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Params:
    """What cron shall run, and when."""

    playbook: Annotated[str, Info(help="Playbook to run: a path, or the bare name of a shipped one.")] = "scrape"
    interval: Annotated[Literal["monthly", "weekly", "daily"], Info(help="How often.")] = "monthly"
    at: Annotated[str, Info(help="Time of day, HH:MM.", example="03:15")] = "04:00"
    cron: Annotated[str, Info(help="Five cron fields; wins over interval and at.", example="0 4 * * mon")] = ""
    job_name: Annotated[str, Info(help="Name of the block.")] = "discord-scrape"
    log_file: Annotated[str, Info(help="Log of the scheduled run; it is appended to.")] = "logs/discord-scrape.log"
    options: Annotated[
        tuple[str, ...], Info(help="More words for the command line.", example=["--salvage-before-scrape"])
    ] = ()
    remove: Annotated[bool, Info(help="Take the block out.")] = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Outputs:
    """What stands in the crontab now."""

    line: Annotated[str, Info(help="The job's line; empty after a removal.")]


def plan(params: Params, view: View, /) -> StepPlan:
    """Show the block, without looking at the crontab: that needs a program."""
    if params.remove:
        check_name(params.job_name)
        return StepPlan(
            summary=f"would remove the block {params.job_name}",
            changes=(Change(what=f"remove the cron block {params.job_name}"),),
            outputs={"line": ""},
        )
    job = _job(params, view)
    block = install("", job)
    return StepPlan(
        summary=f"would install {params.job_name}: {job.schedule}",
        changes=(Change(what=f"install the cron block {params.job_name}", diff=block),),
        outputs={"line": job_line(job)},
    )


def apply(params: Params, ctx: Context, /) -> StepResult:
    """Change the crontab, unless it says so already."""
    program = crontab_program(ctx.environment)
    before = crontab_to_change(program, ctx.executor, ctx.scratch)
    if params.remove:
        after, line = remove(before, params.job_name), ""
    else:
        job = _job(params, ctx)
        after, line = install(before, job), job_line(job)
    if after == before:
        return StepResult(changed=False, summary="the crontab says so already", outputs=Outputs(line=line))
    write_crontab(program, ctx.executor, after, ctx.scratch)
    for shown in difflib.unified_diff(before.split("\n"), after.split("\n"), "crontab", "crontab", lineterm=""):
        ctx.reporter.say(shown.encode(errors="surrogateescape").decode(errors="replace"))
    done = "removed" if params.remove else "installed"
    return StepResult(changed=True, summary=f"{done} {params.job_name}", outputs=Outputs(line=line))


def _job(params: Params, view: View) -> Job:
    targets_file = view.targets_file
    chosen = view.chosen_targets()
    if view.selection.channels or view.selection.guilds:
        check_narrowing(chosen, channels=view.selection.channels, guilds=view.selection.guilds)
    if _TAKES_A_BACKUP in view.steps_of(params.playbook):
        raise NotForCron(params.playbook)
    words = ["run", _playbook(params, view.folder), "--config", str(targets_file.path.absolute())]
    words += ["--log-file", str(view.folder / params.log_file)]
    enabled = tuple(target for target in targets_file.targets if target.enabled)
    if chosen != enabled:
        for target in chosen:
            words += ["--target", target.name]
    for option, values in (("--channel", view.selection.channels), ("--guild", view.selection.guilds)):
        for value in values:
            words += [option, value]
    return Job(
        name=check_name(params.job_name),
        schedule=check_schedule(params.cron) if params.cron else interval_schedule(params.interval, params.at),
        folder=str(view.folder),
        environment=_environment(view),
        argv=(sys.executable, "-m", "dce_play", *words, *params.options),
    )


def _playbook(params: Params, folder: Path) -> str:
    written = folder / params.playbook
    return str(written) if written.is_file() else params.playbook


def _environment(view: View) -> tuple[tuple[str, str], ...]:
    env_file = places(view.environment, view.folder).env_file
    passed = [("DCE_COMPOSE_TTY", "0"), ("DCE_ENV_FILE", str(env_file))]
    compose = view.environment.get("DCE_COMPOSE_FILE")
    return (*passed, *((("DCE_COMPOSE_FILE", str(view.folder / compose)),) if compose else ()))
