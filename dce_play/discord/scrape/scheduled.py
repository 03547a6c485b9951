"""The command that a schedule runs: one playbook, on the targets and channels that were chosen, as it was installed."""

import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import ClassVar

from dce_play.discord.auth.discovery import places
from dce_play.discord.targets.model import Target, TargetsFile
from dce_play.discord.targets.select import check_narrowing
from dce_play.errors import DcePlayError, ExitCode

_TAKES_A_BACKUP = "backup.take"


class NotForCron(DcePlayError):
    """A playbook that takes a backup needs a person, and cron is none."""

    exit_code: ClassVar[ExitCode] = ExitCode.INVALID

    def __init__(self, playbook: str) -> None:
        self.playbook = playbook
        super().__init__(
            f"the playbook {playbook} takes a backup, and cron must not",
            hint="let a person run it; what cron runs may demand a backup: backup.require",
        )


def refuse_backups(playbook: str, steps: frozenset[str]) -> None:
    """Do nothing for a playbook that nobody need watch; ``steps`` are the step plugins that it uses.

    Raises: NotForCron.
    """
    if _TAKES_A_BACKUP in steps:
        raise NotForCron(playbook)


def scheduled_argv(
    playbook: str,
    *,
    folder: Path,
    targets_file: TargetsFile,
    chosen: Sequence[Target],
    channels: Sequence[str],
    guilds: Sequence[str],
    log_file: str,
    options: Sequence[str],
) -> tuple[str, ...]:
    """Return the command line, with whole paths. Targets are named only where not all enabled ones are meant.

    Raises: UsageError, when channels or guilds are chosen and not exactly one target.
    """
    if channels or guilds:
        check_narrowing(tuple(chosen), channels=tuple(channels), guilds=tuple(guilds))
    written = folder / playbook
    name = str(written) if written.is_file() else playbook
    words = ["run", name, "--config", str(targets_file.path.absolute()), "--log-file", str(folder / log_file)]
    words.append("--quiet")  # cron mails what is said: nothing of a night that went well; the log has it all
    if tuple(chosen) != tuple(target for target in targets_file.targets if target.enabled):
        words += [word for target in chosen for word in ("--target", target.name)]
    words += [word for channel in channels for word in ("--channel", channel)]
    words += [word for guild in guilds for word in ("--guild", guild)]
    return (sys.executable, "-m", "dce_play", *words, *options)


def scheduled_environment(environment: Mapping[str, str], folder: Path) -> tuple[tuple[str, str], ...]:
    """Return the variables that the command needs besides those that a schedule gives; no secret is among them."""
    passed = [("DCE_COMPOSE_TTY", "0"), ("DCE_ENV_FILE", str(places(environment, folder).env_file))]
    compose = environment.get("DCE_COMPOSE_FILE")
    return (*passed, *((("DCE_COMPOSE_FILE", str(folder / compose)),) if compose else ()))
