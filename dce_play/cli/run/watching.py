"""Runs of which monitors are told, where the project has monitors; without any it costs a look for one file."""

import os
from collections.abc import Callable, Sequence

from dce_play.cli.app.project_file import PROJECT_FILE
from dce_play.cli.app.working_folder import working_folder
from dce_play.cli.run.running import RunRequest
from dce_play.runner.settings import RunOutcome

_LOOKS_ONLY = frozenset({"--dry-run", "--check", "-C", "--list-steps", "--list-tasks", "--rehearse"})


def run_watched(request: RunRequest, run: Callable[[RunRequest], RunOutcome]) -> int:
    """Run what was asked for and return its exit code. Of a dry run nobody is told.

    Raises: what ``run`` raises.
    """
    if request.options.dry_run or not (request.folder / PROJECT_FILE).is_file():
        return run(request).exit_code
    # Inside the function for start-up time: few projects have monitors.
    from dce_play.cli.run.monitor import monitor_for

    monitor = monitor_for(request)
    return run(request).exit_code if monitor is None else monitor.watch(run)


def tell_unread_run(arguments: Sequence[str], playbook: str | None, message: str, *, exit_code: int) -> None:
    """Tell of a run whose command line could not be read, unless it would only have looked."""
    folder = working_folder()
    if _LOOKS_ONLY.intersection(arguments) or not (folder / PROJECT_FILE).is_file():
        return
    # Likewise.
    from dce_play.cli.run.monitor import monitor_for

    monitor = monitor_for(RunRequest(playbook=playbook or "run", folder=folder, environment=dict(os.environ)))
    if monitor is not None:
        monitor.unread(message, exit_code)
