"""What there is to choose from: the playbooks of ``run`` without a name, the steps of ``--list-steps``."""

import os
from pathlib import Path

import click

from dce_play.cli.app.find_playbook import find_playbook, playbook_names
from dce_play.cli.app.step_table import open_library
from dce_play.cli.run.running import Prepared
from dce_play.errors import DcePlayError, ExitCode
from dce_play.playbook.language.model import CallKind
from dce_play.playbook.plan.plan import all_steps
from dce_play.resources import playbooks_folder


def list_playbooks(folder: Path) -> ExitCode:
    """Print a line a playbook: its name and its summary, those of the folder first.

    Returns the code of a wrong command line: a script that lost the name has run nothing, and must notice.
    """
    library = open_library(plugins=False, folder=folder, environment=os.environ)
    rows: dict[bool, list[tuple[str, str]]] = {False: [], True: []}
    for name in playbook_names(folder):
        path = find_playbook(name, folder)
        try:
            summary = library.load(path, CallKind.PLAYBOOK).playbook.summary
        except DcePlayError:
            summary = "cannot be read; why: dce-play lint " + os.path.relpath(path, folder)
        rows[path.parent == playbooks_folder()].append((name, summary))
    formatter = click.HelpFormatter(width=click.get_current_context().terminal_width, max_width=100)
    for shipped, title in ((False, "Playbooks of this folder"), (True, "Playbooks that come with dce-play")):
        if rows[shipped]:
            with formatter.section(title):
                formatter.write_dl(rows[shipped])
    click.echo(formatter.getvalue().lstrip("\n"), nl=False)
    click.echo("\nWhich one? dce-play run NAME; what it does and takes: dce-play run NAME --help", err=True)
    return ExitCode.USAGE


def list_steps(prepared: Prepared) -> None:
    """Print a line a step: its id, its plugin, its tags."""
    chosen = prepared.settings.steps
    steps = [each for each in all_steps(prepared.plan) if chosen is None or each.id in chosen]
    width = max((len(each.id) for each in steps), default=0)
    for each in steps:
        tags = f"  [{', '.join(each.keywords.tags)}]" if each.keywords.tags else ""
        click.echo(f"{each.id:<{width}}  {each.step}{tags}".rstrip())
