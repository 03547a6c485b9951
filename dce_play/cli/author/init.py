"""``dce-play init``: a folder of the operator's own, with playbooks, schemas for editors and a targets file."""

from pathlib import Path

import click

from dce_play.discord.auth.git_ignore import IGNORED, add_lines
from dce_play.errors import ExitCode
from dce_play.resources import playbooks_folder, schemas_folder
from dce_play.system.durable.named_outputs import write_named

_TARGETS = """\
# yaml-language-server: $schema=./schemas/targets.schema.json
# What is archived, and where it goes. Check it with: dce-play targets check

# Absolute; all archives live below it, and one lock guards them all.
archive_root: {root}

# Values for targets that do not say otherwise.
# defaults:
#   include_threads: all            # none, active or all
#   include_voice_channels: false

targets:
  - name: example
    output_dir: {root}/example
    enabled: false                  # set to true once the ids below are yours
    disabled_reason: the ids are made up
    # Ids are long numbers: always in quotes.
    guild_ids: ["111111111111111111"]
    # channel_ids: ["222222222222222222"]      # exactly these channels; wins over guild_ids
    # container_memory: 8g
"""


@click.command(name="init")
@click.argument("folder", type=click.Path(path_type=Path, file_okay=False), default=".")
@click.option("--archive-root", type=click.Path(path_type=Path), help="Where archives will live; FOLDER/archives else.")
def command(folder: Path, archive_root: Path | None) -> int:
    """Copy the shipped playbooks, their schemas and a commented targets file into FOLDER. Keeps what is there.

    Git is told, in .gitignore, to leave out scrape.env, archives and logs.

    \b
    Example:
      dce-play init ~/archives --archive-root /srv/archives

    Exit 0: all is there. Exit 1: a file cannot be written.
    """
    folder = folder.absolute()
    root = (archive_root or folder / "archives").absolute()
    files = {folder / "scrape-targets.yml": _TARGETS.format(root=root).encode("utf-8")}
    for source in sorted(playbooks_folder().glob("*.yml")):
        files[folder / "playbooks" / source.name] = source.read_bytes()
    for source in sorted(schemas_folder().glob("*.schema.json")):
        files[folder / "schemas" / source.name] = source.read_bytes()
    for path, data in files.items():
        if path.exists():
            click.echo(f"kept   {path.relative_to(folder)}")
            continue
        write_named(path, data, what=path.name, make_folder=True)
        click.echo(f"wrote  {path.relative_to(folder)}")
    if add_lines(folder / ".gitignore", IGNORED):
        click.echo("wrote  .gitignore")
    click.echo("next: edit scrape-targets.yml, then dce-play lint, then dce-play run proof --dry-run")
    return ExitCode.OK
