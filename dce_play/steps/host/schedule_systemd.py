"""Let systemd run a playbook: a service, its timer, and what tells the monitors when the service was killed.

For root they are units of the machine, for anybody else of the user's own systemd. A run that was missed while the
machine was off is made up for. Before anything is written systemd itself judges the units.
"""

import difflib
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Literal

from dce_play.discord.scrape.scheduled import scheduled_environment
from dce_play.host.cron_fields import interval_schedule
from dce_play.host.crontab import check_name
from dce_play.host.systemd_schedule import (
    Scheduled,
    calendar,
    check_running,
    next_commands,
    systemctl,
    unit_files,
    units_folder,
    verify,
)
from dce_play.plugin import Change, Context, Duration, Effects, Info, StepFailed, StepPlan, StepResult, View
from dce_play.steps.scheduled_run import argv_of
from dce_play.system.durable.whole_files import write_atomic
from dce_play.system.process.executor import Command

NAME = "schedule.systemd"
EFFECTS = Effects.LOCAL
REPEATABLE = True
REHEARSABLE = False
_DELAY = Duration(300.0)
_TIMEOUT_S = 60.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Params:
    """What systemd shall run, and when."""

    playbook: Annotated[str, Info(help="Playbook to run: a path, or the bare name of a shipped one.")] = "scrape"
    interval: Annotated[Literal["monthly", "weekly", "daily"], Info(help="How often.")] = "monthly"
    at: Annotated[str, Info(help="Time of day, HH:MM.", example="03:15")] = "04:00"
    on_calendar: Annotated[
        str, Info(help="As systemd writes times; wins over interval and at.", example="Mon..Fri 03:15")
    ] = ""
    randomized_delay: Annotated[Duration, Info(help="It starts up to so much later: not all hosts at once.")] = _DELAY
    job_name: Annotated[str, Info(help="Name of the units.")] = "discord-scrape"
    log_file: Annotated[str, Info(help="Log of the scheduled run; it is appended to.")] = "logs/discord-scrape.log"
    options: Annotated[
        tuple[str, ...], Info(help="More words for the command line.", example=["--salvage-before-scrape"])
    ] = ()
    unit_dir: Annotated[
        str, Info(help="Only write the units, into this folder: for another machine, or to look at.")
    ] = ""
    remove: Annotated[bool, Info(help="Stop the timer and remove the units.")] = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Outputs:
    """Where the units are."""

    units: Annotated[tuple[str, ...], Info(help="The files.")]


def plan(params: Params, view: View, /) -> StepPlan:
    """Show the units, without asking systemd: that needs a program."""
    files = _files(params, view)
    folder = _folder(params, view)
    verb = "remove" if params.remove else "write"
    changes = tuple(
        Change(what=f"{verb} {name}", path=folder / name, diff=_diff(folder / name, "" if params.remove else text))
        for name, text in files.items()
        if params.remove == (folder / name).exists() or _read(folder / name) != text
    )
    return StepPlan(
        summary=f"would {verb} {', '.join(files)} in {folder}",
        changes=changes,
        outputs={"units": [str(folder / name) for name in files]},
    )


def apply(params: Params, ctx: Context, /) -> StepResult:
    """Write the units and start the timer, unless they are so already.

    Raises: SystemdLacking, UnitsRefused, InvalidSchedule, before anything is written.
    """
    files, folder = _files(params, ctx), _folder(params, ctx)
    if not params.unit_dir:
        check_running(ctx.environment, ctx.executor)
    outputs = Outputs(units=tuple(str(folder / name) for name in files))
    if params.remove:
        return _remove(params, ctx, files, folder)
    judged = verify(files, scratch=ctx.scratch, environment=ctx.environment, executor=ctx.executor)
    changed = {name: text for name, text in files.items() if _read(folder / name) != text}
    for name, text in changed.items():
        ctx.reporter.say(_diff(folder / name, text))
        folder.mkdir(parents=True, exist_ok=True)
        write_atomic(folder / name, text.encode(), mode=0o644)
    if not judged:
        ctx.reporter.say("systemd has not judged the units: there is no systemd-analyze here")
    if params.unit_dir:
        for command in next_commands(params.job_name, ctx.environment):
            ctx.reporter.say(f"next, on the machine with systemd: {command}")
    else:
        _systemctl(ctx, "daemon-reload")
        _systemctl(ctx, "enable", "--now", f"{params.job_name}.timer")
        for command in tuple(next_commands(params.job_name, ctx.environment))[1:]:
            ctx.reporter.say(f"next: {command}")
    when = f"{params.job_name}: {_when(params)}"
    summary = f"installed {when}" if changed else f"the units say so already: {when}"
    return StepResult(changed=bool(changed), summary=summary, outputs=outputs)


def _remove(params: Params, ctx: Context, files: dict[str, str], folder: Path) -> StepResult:
    there = [folder / name for name in files if (folder / name).exists()]
    if there and not params.unit_dir:
        _systemctl(ctx, "disable", "--now", f"{params.job_name}.timer")
    for path in there:
        path.unlink()
    if there and not params.unit_dir:
        _systemctl(ctx, "daemon-reload")
    summary = f"removed {params.job_name}" if there else f"there are no units of {params.job_name}"
    return StepResult(changed=bool(there), summary=summary, outputs=Outputs(units=()))


def _systemctl(ctx: Context, *words: str) -> None:
    argv = (*systemctl(ctx.environment), *words)
    ended = ctx.executor.run(Command(argv=argv, timeout_s=_TIMEOUT_S, is_question=True))
    if ended.exit_code != 0:
        last = (ended.stderr or ended.stdout).strip().splitlines()[-1:] or ["it said nothing"]
        raise StepFailed(f"{' '.join(argv)} exits {ended.exit_code}: {last[0]}", hint="the units are written")


def _when(params: Params) -> str:
    if params.on_calendar:
        return params.on_calendar
    interval_schedule(params.interval, params.at)  # raises where `at` is no time of day
    return calendar(params.interval, params.at)


def _files(params: Params, view: View) -> dict[str, str]:
    argv = argv_of(params, view)
    return unit_files(
        Scheduled(
            name=check_name(params.job_name),
            on_calendar=_when(params),
            randomized_delay_s=params.randomized_delay,
            folder=view.folder,
            argv=argv,
            on_failure_argv=(sys.executable, "-m", "dce_play", "monitoring", "catch-up"),
            environment=scheduled_environment(view.environment, view.folder),
            description=f"dce-play run {params.playbook}",
        )
    )


def _folder(params: Params, view: View) -> Path:
    return view.folder / params.unit_dir if params.unit_dir else units_folder(view.environment)


def _read(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8", errors="replace")
    except FileNotFoundError:
        return ""


def _diff(path: Path, text: str) -> str:
    before = _read(path).splitlines()
    return "\n".join(difflib.unified_diff(before, text.splitlines(), str(path), str(path), lineterm=""))
