"""Which targets a media verb is about: the one that is named, else all enabled ones that keep media."""

import os
from pathlib import Path
from typing import Any

import click

from dce_play.cli.app import completers
from dce_play.cli.app.targets_file import load_targets_file
from dce_play.cli.app.working_folder import working_folder
from dce_play.discord.targets.model import Target, TargetsFile
from dce_play.discord.targets.select import select_targets
from dce_play.discord.targets.usual_file import find_targets_file
from dce_play.errors import UsageError


def target_options(verb: Any) -> Any:
    """Add ``[TARGET]`` and ``--config``."""
    verb = click.option(
        "--config", type=click.Path(path_type=Path), help="The targets file; else as for the other commands."
    )(verb)
    return click.argument("target", required=False, metavar="[TARGET]", shell_complete=completers.targets)(verb)


def chosen_targets(name: str | None, config: Path | None) -> tuple[TargetsFile, tuple[Target, ...]]:
    """Return the targets file and the targets. Raises: UsageError, InvalidDocument."""
    path = find_targets_file(config, os.environ, working_folder())
    if path is None:
        raise UsageError("no targets file found", hint="name it with --config")
    targets_file = load_targets_file(path)
    if name is not None:
        return targets_file, tuple(select_targets(targets_file, [name]))
    return targets_file, tuple(each for each in targets_file.targets if each.enabled)
