"""``dce-play monitoring``: who is told of this project's runs, whether they hear it, and what they have yet to hear."""

import os
import platform
from pathlib import Path

import click

from dce_play.cli.app.project_file import PROJECT_FILE
from dce_play.cli.app.working_folder import working_folder
from dce_play.cli.run.monitor import Monitor
from dce_play.cli.run.monitoring_file import project_monitoring, resolver
from dce_play.cli.run.options import RunOptions
from dce_play.cli.run.running import RunRequest
from dce_play.errors import DcePlayError, ExitCode
from dce_play.host.monitoring.config import Monitoring, State
from dce_play.host.monitoring.note import Note
from dce_play.host.monitoring.send import tell
from dce_play.system.secret_reference import file_of, mode_warning

_state_dir = click.option(
    "--state-dir", type=click.Path(path_type=Path), help="Where run folders are.  [env: DCE_PLAY_STATE_DIR]"
)


class NoMonitors(DcePlayError):
    """The project names nobody to tell."""

    exit_code = ExitCode.NOTHING_SELECTED

    def __init__(self, folder: Path) -> None:
        super().__init__(
            f"{folder / PROJECT_FILE} names no monitor",
            hint='add a table such as [monitoring.healthchecks] with url = "file:PATH"',
        )


@click.group("monitoring")
def command() -> None:
    """Look at who is told of this folder's runs, by the table [monitoring] of its dce-play.toml, and try it.

    Example: dce-play monitoring test

    Exit codes: 0, all told; 1, somebody was not told; 3, the table is not valid; 5, it names nobody.
    """


@command.command()
def show() -> int:
    """Tell who hears of what, and whether each secret is there. Sends nothing. Exit 1 when one is missing.

    Example: dce-play monitoring show
    """
    folder, monitoring = _monitoring()
    resolve = resolver(os.environ, folder)
    missing = 0
    playbooks = ", ".join(sorted(monitoring.playbooks)) or "all"
    click.echo(f"playbooks {playbooks}; each time at most {monitoring.timeout_s:g} s")
    for service in monitoring.services:
        states = ", ".join(state for state in State if state in service.states) or "nothing"
        click.echo(f"{service.kind}  hears of {states}")
        for reference in service.references:
            try:
                resolve(reference)
                click.echo(f"  {reference}  is there")
                file = file_of(reference, folder)
                warning = mode_warning(file) if file is not None else None
                if warning:
                    click.echo(f"  ! {warning}")
            except DcePlayError as error:
                missing += 1
                click.echo(f"  {error}")
    return ExitCode.FAILED if missing else ExitCode.OK


@command.command()
@click.option(
    "--state",
    type=click.Choice([str(state) for state in State]),
    default=str(State.FAIL),
    show_default=True,
    help="As what to send it; whoever hears of that state gets it.",
)
def test(state: str) -> int:
    """Send a note that says that it is a test. Exit 1 when somebody did not take it.

    A check of healthchecks is told that it failed: follow up with --state finish.

    Example: dce-play monitoring test --state finish
    """
    folder, monitoring = _monitoring()
    services = monitoring.wanting(State(state))
    host = platform.node()
    note = Note(
        state=State(state),
        title=f"a test of dce-play on {host}",
        text="Nothing has happened: somebody typed dce-play monitoring test.",
        playbook="test",
        host=host,
    )
    resolve = resolver(os.environ, folder)
    untold = tell(((each, note) for each in services), timeout_s=monitoring.timeout_s, resolve=resolve)
    reasons = {each.service: each.reason for each in untold}
    for service in services:
        click.echo(f"{service.kind}  {reasons.get(service.kind) or 'took it'}")
    if not services:
        click.echo(f"nobody hears of {state}", err=True)
    return ExitCode.FAILED if untold else ExitCode.OK


@command.command("catch-up")
@_state_dir
def catch_up(state_dir: Path | None) -> int:
    """Tell of runs that were killed, and of failures that a monitor did not take; run and resume do that too.

    Exit 1 when somebody still has to hear. For cron, on a machine that may lose its power.

    Example: dce-play monitoring catch-up
    """
    folder, monitoring = _monitoring()
    request = RunRequest(
        playbook="", folder=folder, environment=dict(os.environ), options=RunOptions(state_dir=state_dir)
    )
    told, left = Monitor(monitoring, request).catch_up()
    click.echo(f"{told} told, {left} left")
    return ExitCode.FAILED if left else ExitCode.OK


def _monitoring() -> tuple[Path, Monitoring]:
    folder = working_folder()
    monitoring = project_monitoring(folder)
    if monitoring is None:
        raise NoMonitors(folder)
    return folder, monitoring
