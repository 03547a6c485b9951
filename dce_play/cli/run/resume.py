"""``dce-play resume``: go on with a run that failed, was stopped, or was killed."""

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import click

from dce_play.cli.app.targets_file import find_targets_file, load_targets_file
from dce_play.cli.app.working_folder import working_folder
from dce_play.cli.run.run import DurationType, read_report_option
from dce_play.cli.run.running import RunRequest, execute, runs_folder
from dce_play.cli.run.sinks import now_stamp
from dce_play.runner.folders import RunInfo, find_run, newest_unfinished
from dce_play.runner.resume import open_earlier
from dce_play.source import JsonValue


@click.command("resume")
@click.argument("run", required=False)
@click.option("--accept-changes", is_flag=True, help="Go on although the playbook, its params or targets changed.")
@click.option("--repeat", "interrupted", flag_value="repeat", help="Run an interrupted step again, without asking.")
@click.option("--skip", "interrupted", flag_value="skip", help="Take an interrupted step as done, without asking.")
@click.option("--step", "step_by_step", is_flag=True, help="Ask before every step.")
@click.option("--yes", "-y", "assume_yes", is_flag=True, help="Answer every question of the playbook with yes.")
@click.option("--lock-wait", type=DurationType(), default=0.0, metavar="DURATION", help="Wait for the archive's lock.")
@click.option("--timeout", type=DurationType(), metavar="DURATION", help="Stop the whole run after this; exit 124.")
@click.option(
    "--output", type=click.Choice(["text", "jsonl"]), default="text", show_default=True, help="Form of stdout."
)
@click.option("--report", metavar="json=FILE", help="Write the report there too.")
@click.option("--log-file", type=click.Path(path_type=Path), help="Append everything to this file.")
@click.option("-v", "--verbose", is_flag=True, help="Tell more.")
@click.option("--state-dir", type=click.Path(path_type=Path), help="Where run folders are.  [env: DCE_PLAY_STATE_DIR]")
def command(run: str | None, **options: Any) -> int:
    """Go on with a run where it ended.

    RUN is an id from "dce-play runs list", or its beginning; without it, the newest unfinished run of this archive
    root or folder. Steps that ended well are not run again; their outputs count. If the playbook, a param, the
    targets file or dce-play itself changed since, the differences are shown and the run stays as it is (exit 6).
    """
    environment = dict(os.environ)
    info = _choose(run, options["state_dir"], environment)
    earlier = open_earlier(info, ts=now_stamp())
    request = _request(info, options, environment)
    return execute(request, earlier=earlier, accept_changes=options["accept_changes"]).exit_code


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
    config = kept.get("config")
    start_at = kept.get("start_at")
    return RunRequest(
        playbook=str(kept.get("playbook")),
        folder=Path(str(kept.get("folder"))),
        environment=environment,
        given=given if isinstance(given, dict) else {},
        extra=_texts(kept.get("extra")),
        targets=_texts(kept.get("targets")),
        channels=_texts(kept.get("channels")),
        guilds=_texts(kept.get("guilds")),
        config=Path(config) if isinstance(config, str) else None,
        tags=_texts(kept.get("tags")),
        skip_tags=_texts(kept.get("skip_tags")),
        start_at=start_at if isinstance(start_at, str) else None,
        plugins=kept.get("plugins") is True,
        strict=kept.get("strict") is True,
        interrupted=options["interrupted"],
        step_by_step=options["step_by_step"],
        assume_yes=options["assume_yes"],
        lock_wait_s=options["lock_wait"],
        timeout_s=options["timeout"],
        output=options["output"],
        report=read_report_option(options["report"], working_folder()),
        log_file=working_folder() / options["log_file"] if options["log_file"] else None,
        verbose=options["verbose"],
        state_dir=info.folder.parent.parent,
        run_id=info.run_id,
    )


def _texts(value: JsonValue) -> tuple[str, ...]:
    return tuple(str(each) for each in value) if isinstance(value, list) else ()
