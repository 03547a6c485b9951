"""``dce-play schema``: the JSON Schemas that editors complete and check with."""

import json
import os
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import click

from dce_play.cli.app.step_table import step_table
from dce_play.cli.app.working_folder import working_folder
from dce_play.cli.run.monitoring_file import project_schema
from dce_play.errors import ExitCode, UsageError
from dce_play.playbook.load.schema import playbook_schema, role_schema
from dce_play.playbook.load.schema_backup import classes_schema, modules_schema
from dce_play.playbook.load.schema_targets import targets_schema
from dce_play.render.event_schema import event_schema
from dce_play.source import did_you_mean
from dce_play.system.durable.named_outputs import write_named
from dce_play.transfer.receiving.config_files import receive_schema
from dce_play.transfer.sending.settings import ship_schema


def schemas(*, plugins: bool, folder: Path) -> Mapping[str, Callable[[], dict[str, Any]]]:
    """Return every schema by name, made when it is asked for."""
    return {
        "playbook": lambda: playbook_schema(step_table(plugins=plugins, folder=folder)),
        "role": lambda: role_schema(step_table(plugins=plugins, folder=folder)),
        "targets": targets_schema,
        "backup-modules": modules_schema,
        "backup-classes": classes_schema,
        "event": event_schema,
        "project": project_schema,
        "ship": ship_schema,
        "receive": receive_schema,
    }


def schema_text(schema: Mapping[str, Any]) -> str:
    """Return the schema as its file holds it."""
    return json.dumps(schema, ensure_ascii=False, indent=2) + "\n"


@click.command(name="schema")
@click.argument("name", required=False)
@click.option("--write", type=click.Path(path_type=Path, file_okay=False), help="Write all of them into this folder.")
@click.option(
    "--plugins", is_flag=True, help="With the steps of this project and of installed packages: runs their code."
)
def command(name: str | None, write: Path | None, *, plugins: bool) -> int:
    """Print the JSON Schema called NAME, or list the names.

    An editor finds it through a playbook's first line: # yaml-language-server: $schema=../schemas/playbook.schema.json

    \b
    Example:
      dce-play schema --write schemas

    Exit 0: told or written. Exit 2: no such schema.
    """
    known = schemas(plugins=plugins, folder=working_folder())
    if write is not None:
        write.mkdir(parents=True, exist_ok=True)
        for each, make in known.items():
            path = write / f"{each}.schema.json"
            write_named(path, schema_text(make()).encode("utf-8"), what=f"the schema {each}")
            click.echo(os.fspath(path))
    elif name is None:
        for each in known:
            click.echo(each)
    elif name in known:
        click.echo(schema_text(known[name]()), nl=False)
    else:
        raise UsageError(f'no schema "{name}"', hint=did_you_mean(name, known))
    return ExitCode.OK
