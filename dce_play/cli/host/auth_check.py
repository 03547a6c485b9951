"""``dce-play auth check``: whether Discord takes the token, asked of Discord itself."""

import json
import os

import click

from dce_play.cli.app.targets_file import find_targets_file, load_targets_file
from dce_play.cli.app.working_folder import working_folder
from dce_play.discord.auth.discovery import discover_token, places
from dce_play.discord.exporters.choose import api_base
from dce_play.discord.exporters.discord_api.client import ClientLimits
from dce_play.discord.exporters.discord_api.exporter import DiscordApiExporter
from dce_play.discord.scrape.preflight import preflight_target
from dce_play.errors import ExitCode
from dce_play.system.clock import SystemClock


def check(output_format: str) -> int:
    """Ask Discord for the token's guilds and for one channel of each enabled target, and tell what it says.

    Raises: NoToken, BadTokenFile; AuthenticationFailed; whatever else keeps Discord from answering.
    """
    found = discover_token(places(os.environ, working_folder()))
    path = find_targets_file(None, os.environ, working_folder())
    targets = load_targets_file(path).targets if path is not None else ()
    exporter = DiscordApiExporter(
        api_base(os.environ),
        found.token,
        clock=SystemClock(),
        limits=ClientLimits(retries=1),
        note=lambda line: click.echo(line, err=True),
    )
    try:
        guilds = exporter.guilds()
        read = {
            target.name: len(
                preflight_target(target, exporter=exporter, note=lambda line: click.echo(line, err=True)).readable
            )
            for target in targets
            if target.enabled
        }
    finally:
        exporter.close()
    if output_format == "json":
        facts = {
            "accepted": True,
            "source": found.source,
            "guilds": [{"id": guild.guild_id, "name": guild.name} for guild in guilds],
            "targets": [{"name": name, "readable": count > 0} for name, count in read.items()],
        }
        click.echo(json.dumps(facts, ensure_ascii=False))
        return ExitCode.OK
    click.echo(f"token: Discord takes it (from {found.source}); it sees {len(guilds)} guild(s)")
    for name, count in read.items():
        click.echo(f"  target {name}: {'can be read' if count else 'none of its channels can be read'}")
    return ExitCode.OK
