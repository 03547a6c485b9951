"""Commands without a run of which monitors are told like of one, such as ``backup run`` at night."""

import os
from collections.abc import Callable

from dce_play.cli.app.project_file import PROJECT_FILE
from dce_play.cli.app.working_folder import working_folder


def watch_verb(name: str, act: Callable[[frozenset[str]], int]) -> int:
    """Do what a command does, tell the project's monitors of its start and end, and return its exit code.

    ``act`` gets the names of variables that hold the monitors' secrets: no program that it starts should have them.
    Raises: what ``act`` raises.
    """
    folder = working_folder()
    if not (folder / PROJECT_FILE).is_file():
        return act(frozenset())
    # Inside the function for start-up time: few projects have monitors.
    from dce_play.cli.run.monitor import monitor_for
    from dce_play.cli.run.running import RunRequest

    monitor = monitor_for(RunRequest(playbook=name, folder=folder, environment=dict(os.environ)))
    return act(frozenset()) if monitor is None else monitor.watch_verb(act)
