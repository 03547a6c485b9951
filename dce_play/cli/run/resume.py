"""``dce-play resume``: go on with a run that failed, was stopped, or was killed."""

import os
from collections.abc import Mapping
from functools import partial
from pathlib import Path
from typing import Any

import click

from dce_play.cli.app import completers
from dce_play.cli.app.targets_file import load_targets_file
from dce_play.cli.app.working_folder import working_folder
from dce_play.cli.run.options import options_from, run_options
from dce_play.cli.run.running import RunRequest, execute
from dce_play.cli.run.sinks import now_stamp
from dce_play.cli.run.watching import run_watched
from dce_play.discord.targets.usual_file import find_targets_file
from dce_play.layout import runs_folder
from dce_play.runner.record.folders import RunInfo, find_run, newest_unfinished
from dce_play.runner.resume import open_earlier


@partial(run_options, resuming=True)
@click.command("resume")
@click.argument("run", required=False, shell_complete=completers.runs)
@click.option("--accept-changes", is_flag=True, help="Go on although the playbook, its params or targets changed.")
@click.option("--repeat", "interrupted", flag_value="repeat", help="Run an interrupted step again, without asking.")
@click.option("--skip", "interrupted", flag_value="skip", help="Take an interrupted step as done, without asking.")
def command(run: str | None, **options: Any) -> int:
    """Go on with a run where it ended.

    RUN is an id from "dce-play runs list", or its beginning; without it, the newest unfinished run of this archive
    root or folder. Steps that ended well are not run again; their outputs count. If the playbook, a param, the
    targets file or dce-play itself changed since, the differences are shown and the run stays as it is (exit 6).

    \b
    Examples:
      dce-play resume
      dce-play resume 20261128T03 --skip

    Exit codes are those of "run": 0 all well; 1 a step failed; 2 wrong call; 5 no such run; 6 refused, something
    changed; 75 the run or the archive is in other hands; 77 a question, and nobody to answer.
    """
    environment = dict(os.environ)
    info = _choose(run, options["state_dir"], environment)
    earlier = open_earlier(info, ts=now_stamp())
    request = _request(info, options, environment)
    return run_watched(request, partial(execute, earlier=earlier, accept_changes=options["accept_changes"]))


def _choose(run: str | None, state_dir: Path | None, environment: Mapping[str, str]) -> RunInfo:
    runs = runs_folder(state_dir, environment)
    if run is not None:
        return find_run(runs, run)
    folder = working_folder()
    path = find_targets_file(None, environment, folder)
    root = load_targets_file(path).archive_root if path is not None and path.is_file() else None
    return newest_unfinished(runs, folder=folder, archive_root=root)


def _request(info: RunInfo, options: Mapping[str, Any], environment: Mapping[str, str]) -> RunRequest:
    """Return the request of the earlier run, as its journal remembers it, with this command's own options."""
    kept = info.options
    given = kept.get("given")
    return RunRequest(
        playbook=str(kept.get("playbook")),
        folder=Path(str(kept.get("folder"))),
        environment=environment,
        given=given if isinstance(given, dict) else {},
        options=options_from(options, folder=working_folder(), kept=kept),
        interrupted=options["interrupted"],
        run_id=info.run_id,
    )
