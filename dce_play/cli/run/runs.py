"""``dce-play runs``: what was run, what came of it, and removing what nobody needs any more."""

import json
import os
from datetime import UTC, datetime, timedelta
from pathlib import Path

import click

from dce_play.cli.app.groups import Group
from dce_play.cli.run.flags import DurationType
from dce_play.cli.run.options import RunOptions, command_line, resume_words
from dce_play.errors import UsageError
from dce_play.events import Mode
from dce_play.layout import runs_folder
from dce_play.render.report import fold_report, read_events
from dce_play.render.text import duration
from dce_play.runner.record.folders import RunInfo, State, find_run, list_runs, prunable, remove_run

_state_dir = click.option(
    "--state-dir", type=click.Path(path_type=Path), help="Where run folders are.  [env: DCE_PLAY_STATE_DIR]"
)
_format = click.option(
    "--format", "output_format", type=click.Choice(["text", "json"]), default="text", show_default=True
)


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
@_format
@_state_dir
def list_command(limit: int, output_format: str, state_dir: Path | None) -> None:
    """Print the newest runs, one a line: id, how it ended, how long it took, playbook.

    \b
    Example:
      dce-play runs list -n 5

    Exit 0: told, also when there are none.
    """
    infos = list_runs(runs_folder(state_dir, os.environ))[:limit]
    if output_format == "json":
        click.echo(json.dumps([_as_json(info) for info in infos], ensure_ascii=False, indent=2))
        return
    if not infos:
        click.echo("no runs yet", err=True)
    for info in infos:
        name = f"{info.name} (dry run)" if info.mode is Mode.DRY_RUN else info.name
        took = duration(info.duration_s) if info.state in {State.OK, State.FAILED, State.INTERRUPTED} else ""
        click.echo(f"{info.run_id}  {info.state:<11}  {took:>12}  {name}")


def _as_json(info: RunInfo) -> dict[str, object]:
    return {
        "run": info.run_id,
        "state": info.state,
        "mode": info.mode,
        "name": info.name,
        "started": info.started,
        "duration_s": info.duration_s,
        "exit_code": info.exit_code,
        "archive_root": info.archive_root,
        "folder": str(info.folder),
        "resumable": info.resumable,
    }


@command.command()
@click.argument("run", required=False)
@_format
@_state_dir
def show(run: str | None, output_format: str, state_dir: Path | None) -> None:
    """Tell what a run did, step by step; without RUN, the newest.

    \b
    Example:
      dce-play runs show 20261128T03

    Exit 0: told. Exit 2: there are no runs. Exit 5: no such run.
    """
    runs = runs_folder(state_dir, os.environ)
    info = _newest(runs) if run is None else find_run(runs, run)
    report = fold_report(read_events(info.folder))
    if output_format == "json":
        click.echo(json.dumps(report, ensure_ascii=False, indent=2))
        return
    click.echo(f"{info.run_id}  {info.state}  {info.name}  {info.folder}")
    steps = report["steps"]
    for step in steps if isinstance(steps, list) else []:
        if isinstance(step, dict) and not step["group"]:
            click.echo(f"  {step['status']!s:<8}  {step['id']}  {step['summary']}".rstrip())
    if info.resumable:
        words = resume_words(RunOptions(state_dir=state_dir))
        click.echo(f"next: {command_line('resume', info.run_id, words)}")


def _newest(runs: Path) -> RunInfo:
    infos = list_runs(runs)
    if not infos:
        raise UsageError(f"there are no runs in {runs}")
    return infos[0]


@command.command()
@click.option(
    "--keep", type=click.IntRange(min=0), default=20, show_default=True, help="Never remove the newest so many."
)
@click.option("--older-than", type=DurationType(), default="90d", show_default=True, help="Remove only older ones.")
@click.option("--dry-run", is_flag=True, help="Only tell which.")
@_state_dir
def prune(keep: int, older_than: float, dry_run: bool, state_dir: Path | None) -> None:
    """Remove old run folders. Running ones are never touched.

    \b
    Example:
      dce-play runs prune --keep 30 --dry-run

    Exit 0: done. Exit 1: a folder cannot be removed.
    """
    before = datetime.now(UTC) - timedelta(seconds=older_than)
    doomed = prunable(list_runs(runs_folder(state_dir, os.environ)), keep=keep, before=before)
    for info in doomed:
        if not dry_run:
            remove_run(info)
        click.echo(f"{'would remove' if dry_run else 'removed'} {info.run_id}  {info.state}  {info.name}")
    click.echo(f"{len(doomed)} {'to remove' if dry_run else 'removed'}")
