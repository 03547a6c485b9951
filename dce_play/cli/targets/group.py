"""``dce-play targets``: list, check, add and discover."""

import json
import os
from pathlib import Path

import click

from dce_play.cli.app.groups import Group
from dce_play.cli.app.targets_file import load_targets_file
from dce_play.cli.app.verb import format_option
from dce_play.cli.app.working_folder import working_folder
from dce_play.discord.targets.model import TargetsFile
from dce_play.discord.targets.parse import parse_targets
from dce_play.discord.targets.usual_file import find_targets_file
from dce_play.errors import ExitCode, UsageError
from dce_play.playbook.document.document import load_document, read_document
from dce_play.playbook.document.edit_targets import new_targets_file, with_target
from dce_play.source import JsonValue
from dce_play.system.counted import counted
from dce_play.system.durable.named_outputs import write_named

_config = click.option(
    "--config", type=click.Path(path_type=Path), help="The targets file; else DCE_CONFIG_FILE, else the usual names."
)


@click.group("targets", cls=Group, verbs={"discover": "dce_play.cli.targets.discover:discover"})
def command() -> None:
    """Look at the targets file, check it, and add to it; see what there is to archive.

    A targets file says what is archived and where it goes; scrape-targets.json of the operators' scripts works as it
    is, the same in YAML too. Without --config it is DCE_CONFIG_FILE, else scrape-targets.yml or .json, here or in
    config/.

    \b
    Examples:
      dce-play targets add workshop --archive-root /srv/archives --guild 754679440998400000
      dce-play targets check

    Exit codes of all: 0 done; 1 Discord or a file cannot be read; 2 wrong call; 3 the targets file is not valid; 7 no
    token, or one that Discord refuses.
    """


@command.command("list")
@_config
@format_option
def list_targets(config: Path | None, output_format: str) -> None:
    """Print every target, disabled ones too: name, kind and folder, separated by tabs.

    \b
    Example:
      dce-play targets list | cut -f1

    Exit 0: told. Exit 3: the file is not valid.
    """
    targets_file = _load(config)
    if output_format == "json":
        rows = [
            {"name": each.name, "kind": each.kind, "output_dir": str(each.output_dir), "enabled": each.enabled}
            for each in targets_file.targets
        ]
        click.echo(json.dumps(rows, ensure_ascii=False, indent=2))
        return
    for each in targets_file.targets:
        click.echo(f"{each.name}\t{each.kind}\t{each.output_dir}")


@command.command()
@_config
def check(config: Path | None) -> int:
    """Check the file against schema and safety rules. Exit 0: sound. Exit 3: every problem, with its place.

    \b
    Example:
      dce-play targets check --config config/scrape-targets.yml
    """
    targets_file = _load(config)
    enabled = sum(target.enabled for target in targets_file.targets)
    click.echo(f"{targets_file.path}: {counted(len(targets_file.targets), 'target')}, {enabled} enabled, sound")
    return ExitCode.OK


@command.command()
@click.argument("name")
@_config
@click.option("--archive-root", type=click.Path(path_type=Path), help="For a new file: the folder of all archives.")
@click.option(
    "--output-dir",
    type=click.Path(path_type=Path),
    help="Folder of this target; default: the name, in the archive root.",
)
@click.option("--guild", "guilds", multiple=True, help="Id of a guild to archive. Repeatable.")
@click.option("--channel", "channels", multiple=True, help="Id of a channel to archive; only these then. Repeatable.")
@click.option("--dms", is_flag=True, help="Archive the direct messages.")
@click.option("--dry-run", is_flag=True, help="Print the file as it would be.")
def add(
    name: str,
    config: Path | None,
    archive_root: Path | None,
    output_dir: Path | None,
    guilds: tuple[str, ...],
    channels: tuple[str, ...],
    *,
    dms: bool,
    dry_run: bool,
) -> int:
    """Add a target; makes the file when there is none. Comments and order of an existing file stay.

    Example: dce-play targets add workshop --archive-root /srv/archives --guild 754679440998400000

    Exit 0: added. Exit 2: wrong call. Exit 3: the file would not be valid; it is as it was.
    """
    found = find_targets_file(config, os.environ, working_folder())
    path = found or working_folder() / "scrape-targets.yml"
    entry: dict[str, JsonValue] = {"name": name}
    if dms:
        entry["kind"] = "dms"
    root = load_targets_file(path).archive_root if path.exists() else archive_root
    if root is None:
        raise UsageError("there is no targets file yet", hint="name the folder of all archives with --archive-root")
    entry["output_dir"] = str((output_dir or root / name).absolute())
    for key, ids in (("guild_ids", guilds), ("channel_ids", channels)):
        if ids:
            entry[key] = list(ids)
    if guilds and not channels:
        entry["discover"] = "always"
    text = with_target(load_document(path), entry) if path.exists() else new_targets_file(str(root.absolute()), entry)
    _check_text(path, text)
    if dry_run:
        click.echo(text, nl=False)
        return ExitCode.OK
    write_named(path, text.encode(), what="the targets file")
    click.echo(f"Added {name} to {path}.")
    return ExitCode.OK


def _check_text(path: Path, text: str) -> None:
    """Refuse to write what could not be read back."""
    parse_targets(read_document(path, text.encode()).document)


def _load(config: Path | None) -> TargetsFile:
    path = find_targets_file(config, os.environ, working_folder())
    if path is None:
        raise UsageError("no targets file found", hint="name it with --config, or make one: dce-play targets add NAME")
    return load_targets_file(path)
