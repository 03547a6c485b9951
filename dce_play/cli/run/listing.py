"""The steps of a run, for ``--list-steps``."""

import click

from dce_play.cli.run.running import Prepared
from dce_play.playbook.plan.plan import all_steps


def list_steps(prepared: Prepared) -> None:
    """Print a line a step: its id, its plugin, its tags."""
    chosen = prepared.settings.steps
    steps = [each for each in all_steps(prepared.plan) if chosen is None or each.id in chosen]
    width = max((len(each.id) for each in steps), default=0)
    for each in steps:
        tags = f"  [{', '.join(each.keywords.tags)}]" if each.keywords.tags else ""
        click.echo(f"{each.id:<{width}}  {each.step}{tags}".rstrip())
