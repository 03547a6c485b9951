"""``dce-play steps``: which step plugins there are, and what each takes and gives."""

import json

import click

from dce_play.cli.app import completers
from dce_play.cli.app.step_table import step_table
from dce_play.cli.app.working_folder import working_folder
from dce_play.errors import ExitCode
from dce_play.playbook.load.schema import step_summary
from dce_play.playbook.load.step_docs import describe_step, step_as_json
from dce_play.playbook.plan.selection import NothingChosen
from dce_play.source import did_you_mean


@click.command(name="steps")
@click.argument("name", required=False, shell_complete=completers.step_names)
@click.option("--format", "output_format", type=click.Choice(["text", "json"]), default="text", help="How to tell.")
@click.option(
    "--plugins", is_flag=True, help="With the steps of this project and of installed packages: runs their code."
)
def command(name: str | None, output_format: str, *, plugins: bool) -> int:
    """List the steps that playbooks can use, or describe the one called NAME.

    \b
    Example:
      dce-play steps archive.append

    Exit 0: told. Exit 5: no such step.
    """
    steps = step_table(plugins=plugins, folder=working_folder())
    if name is not None and name not in steps:
        raise NothingChosen(f'no step named "{name}"', hint=did_you_mean(name, steps))
    chosen = [step for each, step in sorted(steps.items()) if name in {None, each}]
    if output_format == "json":
        rows = [step_as_json(step) for step in chosen]
        click.echo(json.dumps(rows[0] if name is not None else rows, ensure_ascii=False, indent=2, default=str))
    elif name is not None:
        click.echo(describe_step(chosen[0]), nl=False)
    else:
        width = max(len(step.NAME) for step in chosen)
        for step in chosen:
            click.echo(f"{step.NAME:<{width}}  {step.EFFECTS:<7}  {step_summary(step)}")
    return ExitCode.OK
