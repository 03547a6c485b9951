"""``dce-play targets discover``: what the token can see, and what of it has a channel file already."""

import json
import os
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import click

from dce_play.cli.app import completers
from dce_play.cli.app.targets_file import load_targets_file
from dce_play.cli.app.verb import format_option
from dce_play.cli.app.working_folder import working_folder
from dce_play.discord.exporters.choose import AUTO, ExporterName
from dce_play.discord.exporters.protocol import ChannelListing, Exporter
from dce_play.discord.scrape.channels import wanted, without_file
from dce_play.discord.scrape.guild_changes import Listed
from dce_play.discord.scrape.session import Session, SessionContext
from dce_play.discord.scrape.target import known_seeds
from dce_play.discord.targets.guilds import match_guilds
from dce_play.discord.targets.model import Target, TargetKind, TargetsFile
from dce_play.discord.targets.select import select_targets
from dce_play.discord.targets.usual_file import find_targets_file
from dce_play.errors import ExitCode, UsageError
from dce_play.snowflake import ChannelId, GuildId, is_number
from dce_play.system.clock import SystemClock
from dce_play.system.process.executor import LocalExecutor
from dce_play.system.redact import PROCESS, Masker


@click.command(short_help="List the guilds and channels that the token can see.")
@click.option(
    "--target",
    "target_name",
    shell_complete=completers.targets,
    metavar="NAME",
    help="List the channels of this target's guilds.",
)
@click.option("--guild", "guild_id", metavar="ID", help="List the channels of this guild.")
@click.option("--new", "only_new", is_flag=True, help="Only channels that nobody archives; of all targets, or one.")
@click.option("--exporter", type=click.Choice([AUTO, *map(str, ExporterName)]), help="What asks Discord.")
@click.option("--config", type=click.Path(path_type=Path), help="The targets file; else as for the other commands.")
@format_option
def discover(
    target_name: str | None,
    guild_id: str | None,
    *,
    only_new: bool,
    exporter: str | None,
    config: Path | None,
    output_format: str,
) -> int:
    """List the guilds that the token can see, or the channels of one guild or target. Writes nothing.

    A line each, separated by tabs: id, kind, name; for channels also "archived" when a target has a channel file for
    it, else "new". The ids go into the targets file. With --new a line has the target's name besides, and what a target
    does not want (exclude_channel_ids, exclude_channel_patterns) is left out; so are threads.

    \b
    Examples:
      dce-play targets discover
      dce-play targets discover --guild 754679440998400000
      dce-play targets discover --new

    Exit 7: no token, or one that Discord refuses.
    """
    if target_name is not None and guild_id is not None:
        raise click.UsageError("name --target or --guild, not both")
    if guild_id is not None and not is_number(guild_id):
        raise click.UsageError(f"--guild wants an id, digits only: {guild_id}")
    path = find_targets_file(config, os.environ, working_folder())
    targets_file = load_targets_file(path) if path is not None else None
    if only_new and guild_id is None:
        _tell(_new_rows(targets_file, target_name, exporter or ""), output_format)
        return ExitCode.OK
    target = _target(targets_file, target_name, guild_id)
    with Session(target, exporter or "", _session_context(targets_file)) as session:
        if target_name is None and guild_id is None:
            rows = [{"id": each.guild_id, "kind": "Guild", "name": each.name} for each in session.exporter.guilds()]
        else:
            archived = {seed for each in (targets_file.targets if targets_file else ()) for seed in known_seeds(each)}
            rows = [_row(each, archived) for each in _channels(target, session.exporter)]
    _tell([row for row in rows if not only_new or row["state"] == "new"], output_format)
    return ExitCode.OK


def _new_rows(targets_file: TargetsFile | None, name: str | None, exporter: str) -> list[dict[str, str]]:
    """Return the channels of guild targets that have no channel file, by target."""
    if targets_file is None:
        raise UsageError("no targets file found", hint="name it with --config, or make one: dce-play targets add NAME")
    chosen = select_targets(targets_file, [name] if name is not None else [])
    archived = {seed for each in targets_file.targets for seed in known_seeds(each)}
    rows = []
    for target in chosen:
        if target.kind is TargetKind.DMS or target.channel_ids:
            continue
        with Session(target, exporter, _session_context(targets_file)) as session:
            listed = _channels(replace(target, include_threads="none"), session.exporter)
        missing = {each.channel_id for each in without_file(_listed(target, listed), archived)}
        rows += [_row(each, archived) | {"target": target.name} for each in listed if each.channel_id in missing]
    return rows


def _listed(target: Target, channels: list[ChannelListing]) -> Listed:
    return Listed(channels=tuple(channels), wanted=wanted(target, channels))


def _target(targets_file: TargetsFile | None, name: str | None, guild_id: str | None) -> Target:
    """Return the target asked for, or one that stands for a guild, or for nothing but the token."""
    if name is None:
        guilds = (GuildId(guild_id),) if guild_id is not None else ()
        return Target(name="discover", output_dir=working_folder(), guild_ids=guilds, include_voice_channels=True)
    if targets_file is None:
        raise UsageError("no targets file found", hint="name it with --config, or a guild with --guild")
    return targets_file.named(name) or select_targets(targets_file, [name])[0]


def _session_context(targets_file: TargetsFile | None) -> SessionContext:
    masker = Masker(PROCESS)
    return SessionContext(
        environment=os.environ,
        folder=working_folder(),
        archive_root=targets_file.archive_root if targets_file is not None else working_folder(),
        executor=LocalExecutor(os.environ, masker),
        clock=SystemClock(),
        protect=masker.add,
        note=lambda line: click.echo(line, err=True),
    )


def _channels(target: Target, exporter: Exporter) -> list[ChannelListing]:
    if target.kind is TargetKind.DMS:
        return exporter.direct_messages()
    known = () if target.guild_ids else tuple((guild.guild_id, guild.name) for guild in exporter.guilds())
    return [
        channel
        for guild_id in match_guilds(target, known)
        for channel in exporter.channels(guild_id, threads=target.include_threads, voice=target.include_voice_channels)
    ]


def _row(channel: ChannelListing, archived: set[ChannelId]) -> dict[str, str]:
    state = "archived" if channel.channel_id in archived else "new"
    return {"id": channel.channel_id, "kind": channel.kind, "name": channel.name, "state": state}


def _tell(rows: Sequence[dict[str, str]], output_format: str) -> None:
    if output_format == "json":
        click.echo(json.dumps(rows, ensure_ascii=False, indent=2))
        return
    for row in rows:
        click.echo("\t".join(row.values()))
