"""Let cron run a playbook: put our block into the user's crontab, replace it, or take it out.

Every other line of the crontab stays byte for byte; the block is between ``# BEGIN <job>`` and ``# END <job>``. The
scheduled command takes the archive lock itself, needs no terminal and exits non-zero on failure, so that cron mails.
"""

import difflib
from dataclasses import dataclass
from typing import Annotated, Literal

from dce_play.discord.scrape.scheduled import scheduled_environment
from dce_play.host.cron_fields import check_schedule, interval_schedule
from dce_play.host.cron_table import NO_CRON, cron_runs, crontab_program, crontab_to_change, write_crontab
from dce_play.host.crontab import Job, check_name, install, job_line, remove
from dce_play.plugin import Change, Context, Effects, Info, StepPlan, StepResult, View
from dce_play.steps.scheduled_run import argv_of

NAME = "schedule.cron"
EFFECTS = Effects.LOCAL
REPEATABLE = True
REHEARSABLE = False


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
        summary=f"would install {params.job_name}: {job.schedule}{_missing(params)}",
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
        said = f"the crontab says so already{_missing(params)}"
        return StepResult(changed=False, summary=said, outputs=Outputs(line=line))
    write_crontab(program, ctx.executor, after, ctx.scratch)
    for shown in difflib.unified_diff(before.split("\n"), after.split("\n"), "crontab", "crontab", lineterm=""):
        ctx.reporter.say(shown.encode(errors="surrogateescape").decode(errors="replace"))
    done = "removed" if params.remove else "installed"
    return StepResult(changed=True, summary=f"{done} {params.job_name}{_missing(params)}", outputs=Outputs(line=line))


def _missing(params: Params) -> str:
    """Return what this machine lacks for the job to run; empty when nothing is missing."""
    return "" if params.remove or cron_runs() else f"; {NO_CRON}"


def _job(params: Params, view: View) -> Job:
    argv = argv_of(params, view)
    return Job(
        name=check_name(params.job_name),
        schedule=check_schedule(params.cron) if params.cron else interval_schedule(params.interval, params.at),
        folder=str(view.folder),
        environment=scheduled_environment(view.environment, view.folder),
        argv=argv,
    )
