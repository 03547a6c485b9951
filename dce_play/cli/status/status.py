"""``dce-play status``: last night at a glance, for people, for monitoring plug-ins and for Prometheus."""

import json
import os
import shlex
from datetime import datetime, timedelta
from pathlib import Path
from typing import ClassVar

import click

from dce_play.cli.app.tables import can_show_signs, print_lines, room
from dce_play.cli.app.targets_file import load_targets_file
from dce_play.cli.app.verb import DURATION
from dce_play.cli.app.working_folder import working_folder
from dce_play.discord.targets.usual_file import find_targets_file
from dce_play.errors import ExitCode, UsageError
from dce_play.history.scheduled import read_schedule
from dce_play.history.standing import Standing, limits_for, read_standing
from dce_play.history.standing_json import standing_json, standing_metrics
from dce_play.history.standing_text import standing_lines
from dce_play.history.timers import read_timers
from dce_play.host.systemd_schedule import units_folder
from dce_play.layout import runs_folder
from dce_play.system.durable.named_outputs import write_named
from dce_play.system.process.executor import LocalExecutor
from dce_play.system.redact import PROCESS

_DAYS = 90
_PIPED_CELLS = 160


class NoTargets(UsageError):
    """There is no targets file, so nothing to tell of."""

    exit_code: ClassVar[ExitCode] = ExitCode.INVALID

    def __init__(self) -> None:
        super().__init__(
            "there is no targets file here",
            hint="name one with --config or DCE_CONFIG_FILE, or make one: dce-play init",
        )


class NobodyCanTell(UsageError):
    """What status looks at cannot be read: no verdict, and above all no warning's exit code."""

    exit_code: ClassVar[ExitCode] = ExitCode.INVALID


@click.command("status")
@click.option("--config", type=click.Path(path_type=Path), help="The targets file.  [env: DCE_CONFIG_FILE]")
@click.option(
    "--format",
    "output_format",
    type=click.Choice(["text", "json", "prometheus"]),
    default="text",
    show_default=True,
    help="prometheus is what its text file collector reads.",
)
@click.option("--to", type=click.Path(path_type=Path), help="Write it to this file, whole or not at all.")
@click.option("--html", type=click.Path(path_type=Path), help="Also write it as a page into this file.")
@click.option("--warn-after", type=DURATION, help="Exit 1 when a last success is older.  [one missed run, else 2d]")
@click.option("--fail-after", type=DURATION, help="Exit 2 when a last success is older.  [two missed runs, else 7d]")
@click.option("--state-dir", type=click.Path(path_type=Path), help="Where run folders are.  [env: DCE_PLAY_STATE_DIR]")
def command(
    config: Path | None,
    output_format: str,
    to: Path | None,
    html: Path | None,
    warn_after: float | None,
    fail_after: float | None,
    state_dir: Path | None,
) -> int:
    """Tell how the targets stand: last success, growth, what is wrong, what runs, what runs next.

    It looks at the run folders, the archives' own records, the lock, the crontab and the timers. It asks no server,
    takes no lock and changes nothing.

    \b
    Examples:
      dce-play status
      dce-play status --html /srv/www/status.html
      dce-play status --format prometheus --to /var/lib/node_exporter/textfile/dce_play.prom

    Exit codes are those of monitoring plug-ins. Exit 0: all is well. Exit 1: a warning. Exit 2: a target's last run
    failed, its last success is too old, or its archive is missing. Exit 3: the targets file is missing or not valid, or
    it or the run folders cannot be read.
    """
    try:
        standing = _look(config, warn_after, fail_after, state_dir)
    except UsageError as error:
        raise NobodyCanTell(str(error), hint=error.hint) from error
    except OSError as error:
        if error.filename is None:
            raise
        reason = (error.strerror or str(error)).lower()
        raise NobodyCanTell(f"{error.filename}: {reason}", hint=f"ls -ld {shlex.quote(str(error.filename))}") from error
    if html is not None:
        # Inside the function for start-up time: pages are made from templates.
        from dce_play.pages.status_page import status_page

        write_named(html, status_page(standing), what="the page", mode=0o644)
    if to is not None:
        text = _text(standing, output_format, cells=_PIPED_CELLS)
        write_named(to, text.encode("utf-8", "backslashreplace"), what="the status", mode=0o644)
    elif output_format == "text":
        print_lines(standing_lines(standing, cells=room(piped=_PIPED_CELLS), ascii_only=not can_show_signs()))
    else:
        print_lines(_text(standing, output_format, cells=_PIPED_CELLS).splitlines())
    return int(standing.level)


def _look(config: Path | None, warn_after: float | None, fail_after: float | None, state_dir: Path | None) -> Standing:
    folder = working_folder()
    path = find_targets_file(config, os.environ, folder)
    if path is None:
        raise NoTargets
    targets_file = load_targets_file(path)
    now = datetime.now().astimezone()
    executor = LocalExecutor(os.environ, PROCESS)
    schedule = read_schedule(os.environ, executor, folder=folder, config=path.absolute(), now=now)
    schedule = schedule.and_these(read_timers(units_folder(os.environ), executor, folder=folder, now=now))
    return read_standing(
        targets_file,
        runs=runs_folder(state_dir, os.environ),
        folder=folder,
        environment=os.environ,
        schedule=schedule,
        limits=limits_for(schedule, warn_after=_span(warn_after), fail_after=_span(fail_after)),
        now=now,
        days=_DAYS,
    )


def _span(seconds: float | None) -> timedelta | None:
    return None if seconds is None else timedelta(seconds=seconds)


def _text(standing: Standing, output_format: str, *, cells: int) -> str:
    match output_format:
        case "json":
            return json.dumps(standing_json(standing), ensure_ascii=False, indent=2) + "\n"
        case "prometheus":
            return standing_metrics(standing)
        case _:
            return "".join(f"{line}\n" for line in standing_lines(standing, cells=cells))
