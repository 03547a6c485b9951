"""``dce-play auth check``: whether Discord takes the token, asked of Discord itself."""

import json
import os

import click

from dce_play.cli.app.targets_file import load_targets_file
from dce_play.cli.app.working_folder import working_folder
from dce_play.discord.auth.discovery import discover_token, places
from dce_play.discord.exporters.choose import api_base
from dce_play.discord.exporters.discord_api.exporter import DiscordApiExporter
from dce_play.discord.exporters.discord_api.rest.client import ClientLimits, RequestGivenUp
from dce_play.discord.scrape.asking import unseen_guilds, visible_guilds
from dce_play.discord.scrape.preflight import preflight_target
from dce_play.discord.targets.usual_file import find_targets_file
from dce_play.errors import DcePlayError, ExitCode
from dce_play.system.clock import SystemClock
from dce_play.system.counted import counted


class DiscordSilent(DcePlayError):
    """Discord, or the way to it, is down."""

    def __init__(self, error: RequestGivenUp) -> None:
        super().__init__(
            f"whether Discord takes the token is not known: {error}",
            hint="is the network there? the token is as it was; ask again later: dce-play auth check",
        )


def check(output_format: str) -> int:
    """Ask Discord for the token's guilds and for one channel of each enabled target, and tell what it says.

    Returns 1 when a guild is not among those that the token sees, or no channel of a target can be read.

    Raises: NoToken, BadTokenFile; AuthenticationFailed; DiscordSilent; whatever else keeps Discord from answering.
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
        guilds = visible_guilds(exporter)
        unseen = {target.name: unseen_guilds(target, guilds) for target in targets if target.enabled}
        read = {
            target.name: len(
                preflight_target(target, exporter=exporter, note=lambda line: click.echo(line, err=True)).readable
            )
            for target in targets
            if target.enabled
        }
    except RequestGivenUp as error:
        raise DiscordSilent(error) from error
    finally:
        exporter.close()
    code = ExitCode.FAILED if any(unseen.values()) or not all(read.values()) else ExitCode.OK
    if output_format == "json":
        facts = {
            "accepted": True,
            "source": found.source,
            "guilds": [{"id": guild.guild_id, "name": guild.name} for guild in guilds.values()],
            "targets": [
                {"name": name, "readable": count > 0, "problems": unseen[name]} for name, count in read.items()
            ],
        }
        click.echo(json.dumps(facts, ensure_ascii=False))
        return code
    click.echo(f"token: Discord takes it (from {found.source}); it sees {counted(len(guilds), 'guild')}")
    for name, count in read.items():
        click.echo(f"  target {name}: {'can be read' if count else 'none of its channels can be read'}")
        for line in unseen[name]:
            click.echo(f"  ! {line}")
    return code
