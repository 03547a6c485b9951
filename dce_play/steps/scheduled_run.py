"""The run that a schedule starts: the same command line for cron and for systemd."""

from typing import Protocol

from dce_play.discord.scrape.scheduled import refuse_backups, scheduled_argv
from dce_play.plugin import View


class ScheduledParams(Protocol):
    """The params that every such step has."""

    @property
    def playbook(self) -> str: ...

    @property
    def log_file(self) -> str: ...

    @property
    def options(self) -> tuple[str, ...]: ...


def argv_of(params: ScheduledParams, view: View) -> tuple[str, ...]:
    """Return the command line, with the targets and the selection of this run.

    Raises: NotForCron; UsageError, as ``scheduled_argv``.
    """
    refuse_backups(params.playbook, view.steps_of(params.playbook))
    return scheduled_argv(
        params.playbook,
        folder=view.folder,
        targets_file=view.targets_file,
        chosen=view.chosen_targets(),
        channels=view.selection.channels,
        guilds=view.selection.guilds,
        log_file=params.log_file,
        options=params.options,
    )
