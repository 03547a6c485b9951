"""``dce-play runs``: what was run, what came of it, and removing what nobody needs any more."""

import json
import os
import shlex
import sys
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from itertools import islice
from pathlib import Path

import click

from dce_play.cli.app import completers
from dce_play.cli.app.groups import Group
from dce_play.cli.app.tables import coloured, print_lines, room
from dce_play.cli.app.verb import DURATION, format_option
from dce_play.cli.app.working_folder import working_folder
from dce_play.discord.targets.usual_file import find_targets_file
from dce_play.errors import DcePlayError, ExitCode, UsageError
from dce_play.history.columns import GAP
from dce_play.history.nights import runs_of
from dce_play.history.run_rows import RunRow, row_lines, run_row
from dce_play.layout import runs_folder
from dce_play.render.text import one_line
from dce_play.runner.record.folders import (
    RunInfo,
    each_run,
    find_run,
    list_runs,
    prunable,
    read_run,
    remove_leftovers,
    remove_run,
)
from dce_play.runner.record.journal import RunStillGoing
from dce_play.system.durable.named_outputs import write_named

_PIPED_CELLS = 240
_COLOURS = {"ok": "green", "failed": "red", "damaged": "red", "running": "cyan"}

_state_dir = click.option(
    "--state-dir", type=click.Path(path_type=Path), help="Where run folders are.  [env: DCE_PLAY_STATE_DIR]"
)
_all = click.option("--all", "of_all", is_flag=True, help="Also runs of other projects.")


@click.group("runs", cls=Group)
def command() -> None:
    """Look at earlier runs, and remove old ones.

    \b
    Examples:
      dce-play runs list
      dce-play runs show

    Exit 0: told. Exit 5: no such run.
    """


@command.command("list")
@click.option("-n", "limit", type=click.IntRange(min=1), default=20, show_default=True, help="At most so many.")
@_all
@format_option
@_state_dir
def list_command(limit: int, output_format: str, state_dir: Path | None, *, of_all: bool) -> None:
    """Print the newest runs, one a line: when, how it ended, how long it took, what it did, and its short id.

    Only runs of this project are listed: of the archive root of its targets file, or started in this folder.

    \b
    Examples:
      dce-play runs list -n 5
      dce-play runs list --all

    Exit 0: told, also when there are none.
    """
    runs = runs_folder(state_dir, os.environ)
    infos = list(islice(each_run(runs) if of_all else _of_here(runs), min(limit, sys.maxsize)))
    rows = [run_row(info) for info in infos]
    if output_format == "json":
        click.echo(json.dumps([_as_json(row) for row in rows], ensure_ascii=False, indent=2))
        return
    if not rows:
        others = not of_all and next(each_run(runs), None) is not None
        click.echo(
            "no runs of this project; dce-play runs list --all shows others" if others else "no runs yet", err=True
        )
    lines = row_lines(rows, now=datetime.now().astimezone(), cells=room(piped=_PIPED_CELLS))
    for row, line in zip(rows, lines, strict=True):
        line[1] = coloured(line[1], _COLOURS.get(row.word, "yellow"))
    print_lines(GAP.join(line).rstrip() for line in lines)


def _of_here(runs: Path) -> Iterator[RunInfo]:
    return runs_of(runs, folder=working_folder(), archive_root=_archive_root())


def _archive_root() -> Path | None:
    """Return the archive root of this folder's targets file; ``None`` where there is none, or it is not valid."""
    try:
        path = find_targets_file(None, os.environ, working_folder())
        if path is None or not path.is_file():
            return None
        from dce_play.cli.app.targets_file import load_targets_file  # start-up time: many folders have none

        return load_targets_file(path).archive_root
    except DcePlayError:
        return None


def _as_json(row: RunRow) -> dict[str, object]:
    info = row.info
    return {
        "run": info.run_id,
        "state": info.state,
        "refused": info.refused,
        "mode": info.mode,
        "name": info.name,
        "started": info.started,
        "duration_s": info.duration_s,
        "exit_code": info.exit_code,
        "archive_root": info.archive_root,
        "targets": list(info.targets),
        "added": row.gains.added,
        "grown": row.gains.grown,
        "proved": row.gains.proved,
        "place": row.place.words(info.step_count),
        "error": info.error,
        "hint": info.hint,
        "folder": str(info.folder),
        "resumable": info.resumable,
    }


@command.command()
@click.argument("run", required=False, shell_complete=completers.runs)
@_all
@format_option
@click.option("--html", type=click.Path(path_type=Path), help="Write it as a page into this file instead.")
@_state_dir
def show(run: str | None, output_format: str, html: Path | None, state_dir: Path | None, *, of_all: bool) -> None:
    """Tell what a run did, step by step; without RUN, the newest of this project.

    RUN is an id from "dce-play runs list", short or whole, or its beginning.

    \b
    Examples:
      dce-play runs show
      dce-play runs show 24ad04
      dce-play runs show 24ad04 --html night.html

    Exit 0: told. Exit 1: the page cannot be written. Exit 2: there are no runs. Exit 5: no such run.
    """
    # Inside the function for start-up time: only this command needs them.
    from dce_play.cli.run.options import RunOptions, command_line, resume_words
    from dce_play.history.story import read_story, story_lines

    runs = runs_folder(state_dir, os.environ)
    info = _newest(runs, of_all=of_all) if run is None else find_run(runs, run)
    story = read_story(info)
    now = datetime.now().astimezone()
    again = command_line("resume", info.run_id, resume_words(RunOptions(state_dir=state_dir)))
    next_command = again if info.resumable else ""
    if html is not None:
        # Inside the function for start-up time: pages are made from templates.
        from dce_play.pages.run_page import run_page

        write_named(html, run_page(story, now=now, next_command=next_command), what="the page", mode=0o644)
        return
    if output_format == "json":
        click.echo(json.dumps(story.report, ensure_ascii=False, indent=2))
        return
    print_lines(story_lines(story, now=now))
    if next_command:
        click.echo(f"next: {next_command}")


def _newest(runs: Path, *, of_all: bool) -> RunInfo:
    info = next(each_run(runs), None) if of_all else next(_of_here(runs), None) or next(each_run(runs), None)
    if info is None:
        raise UsageError(f"there are no runs in {runs}")
    return read_run(info.folder)


@command.command()
@click.option(
    "--keep", type=click.IntRange(min=0), default=20, show_default=True, help="Never remove the newest so many."
)
@click.option("--older-than", type=DURATION, default="90d", show_default=True, help="Remove only older ones.")
@click.option("--unfinished", is_flag=True, help="Also those that could be resumed.")
@click.option("--dry-run", is_flag=True, help="Only tell which.")
@_state_dir
def prune(keep: int, older_than: float, state_dir: Path | None, *, unfinished: bool, dry_run: bool) -> int:
    """Remove old run folders. Those that run, that can be resumed or that are damaged stay.

    \b
    Example:
      dce-play runs prune --keep 30 --dry-run

    Exit 0: done. Exit 1: a folder cannot be removed; all others are.
    """
    before = datetime.now(UTC) - timedelta(seconds=older_than)
    runs = runs_folder(state_dir, os.environ)
    infos = list_runs(runs)
    failures = [] if dry_run else list(remove_leftovers(runs))
    count = 0
    for info in prunable(infos, keep=keep, before=before, unfinished=unfinished):
        if not dry_run:
            try:
                remove_run(info)
            except RunStillGoing as error:
                click.echo(f"left alone: {error}", err=True)
                continue
            except OSError as error:
                failures.append(error)
                continue
        count += 1
        click.echo(f"{'would remove' if dry_run else 'removed'} {info.run_id}  {info.state}  {one_line(info.name)}")
    click.echo(f"{count} {'to remove' if dry_run else 'removed'}")
    for failure in failures:
        place = os.fsdecode(failure.filename or runs)
        click.echo(f"error: cannot remove {place}: {(failure.strerror or str(failure)).lower()}", err=True)
        click.echo(f"  hint: {shlex.join(['ls', '-la', os.path.dirname(place)])}", err=True)  # noqa: PTH120 - any bytes
    return ExitCode.FAILED if failures else ExitCode.OK
