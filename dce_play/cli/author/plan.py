"""``dce-play plan``: what a playbook will run, in order, without running anything."""

import json
import os

import click

from dce_play.cli.app import completers
from dce_play.cli.app.find_playbook import find_playbook
from dce_play.cli.app.step_table import is_shipped, step_table
from dce_play.cli.app.working_folder import working_folder
from dce_play.errors import ExitCode
from dce_play.playbook.load.params import as_recorded, resolve_params
from dce_play.playbook.plan.planning import make_plan
from dce_play.playbook.plan.selection import choose_steps
from dce_play.render.plan import as_json, mermaid, outline


@click.command(name="plan")
@click.argument("playbook", shell_complete=completers.playbooks)
@click.option("-e", "--extra", multiple=True, metavar="NAME=VALUE|@FILE", help="A param's value, or a file of values.")
@click.option(
    "-t", "--tags", shell_complete=completers.tags, help="Only steps with one of these tags, separated by commas."
)
@click.option(
    "--skip-tags", shell_complete=completers.tags, help="No steps with one of these tags, separated by commas."
)
@click.option(
    "--start-at",
    shell_complete=completers.starts,
    help="Leave out what stands before this step; an id or its last part.",
)
@click.option("--show-params", is_flag=True, help="Show the params' values and where each comes from.")
@click.option("--graph", is_flag=True, help="Print a Mermaid flowchart.")
@click.option("--format", "output_format", type=click.Choice(["text", "json"]), default="text", help="How to tell.")
@click.option(
    "--plugins", is_flag=True, help="With the steps of this project and of installed packages: runs their code."
)
def command(  # noqa: PLR0913 - one argument an option
    playbook: str,
    extra: tuple[str, ...],
    tags: str | None,
    skip_tags: str | None,
    start_at: str | None,
    *,
    show_params: bool,
    graph: bool,
    output_format: str,
    plugins: bool,
) -> int:
    """Show what PLAYBOOK, a path or a bare name, will run, in order: ids, steps, conditions, loops and tags.

    \b
    Example:
      dce-play plan proof --show-params

    Exit 0: told. Exit 2: wrong call. Exit 3: the playbook is not valid. Exit 5: no such playbook, tag or step.
    """
    folder = working_folder()
    steps = step_table(plugins=plugins, folder=folder)
    plan = make_plan(find_playbook(playbook, folder), steps, shipped=is_shipped(steps))
    chosen = choose_steps(plan, tags=_words(tags), skip_tags=_words(skip_tags), start_at=start_at)
    if show_params:
        values = resolve_params(plan.params, extra=extra, environment=os.environ)
        recorded = as_recorded(values)
        rows = [
            {"name": name, "type": str(plan.params[name].type), "value": recorded[name], "origin": each.origin}
            for name, each in values.items()
        ]
        if output_format == "json":
            click.echo(json.dumps(rows, ensure_ascii=False, indent=2))
        else:
            _table([[str(row["name"]), str(row["type"]), _shown(row["value"]), str(row["origin"])] for row in rows])
    elif graph:
        click.echo(mermaid(plan), nl=False)
    elif output_format == "json":
        click.echo(json.dumps(as_json(plan, chosen), ensure_ascii=False, indent=2))
    else:
        click.echo(outline(plan, chosen), nl=False)
    return ExitCode.OK


def _words(text: str | None) -> list[str]:
    return [word.strip() for word in (text or "").split(",") if word.strip()]


def _shown(value: object) -> str:
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)


def _table(rows: list[list[str]]) -> None:
    widths = [max(len(row[column]) for row in rows) for column in range(4)] if rows else []
    for row in rows:
        click.echo("  ".join(f"{cell:<{width}}" for cell, width in zip(row, widths, strict=True)).rstrip())
