"""``dce-play simulate``: a simulated Discord in the foreground."""

import threading

import click

from dce_play.discord.simulator.server import running_simulator
from dce_play.discord.simulator.worlds import Size, build_world, rehearsal_world


@click.command("simulate")
@click.option("--port", default=0, type=click.IntRange(0, 65535), help="Port to listen on; 0 takes any free one.")
@click.option("--seed", default=1, type=click.IntRange(0), help="The same seed gives the same world.")
@click.option(
    "--messages",
    type=click.IntRange(0),
    help="One guild with three channels of this many messages each, instead of the rehearsal's world.",
)
@click.option(
    "--signatures-last",
    default=86_400.0,
    show_default=True,
    type=click.FloatRange(1.0),
    help="Seconds for which the signed URL of an attachment holds.",
)
def command(port: int, seed: int, messages: int | None, signatures_last: float) -> None:
    """Run a simulated Discord on 127.0.0.1 until Ctrl+C.

    It is not Discord: all of its people, messages and pictures are made up. DCE_DISCORD_API_BASE and
    DCE_DISCORD_CDN_BASE lead a run here.

    \b
    Example:
      dce-play simulate --port 8787

    Exit 0: stopped. Exit 1: the port cannot be had.
    """
    world = rehearsal_world(seed) if messages is None else build_world(seed, size=Size(messages=messages))
    with running_simulator(world, port=port, media=True, signatures_last_s=signatures_last) as simulator:
        click.echo("This is a simulator, not Discord: everything it says is made up.")
        click.echo(f"base URL:   {simulator.base_url}")
        click.echo(f"media:      {simulator.cdn_base}")
        click.echo(f"user token: {simulator.token}")
        click.echo(f"bot token:  {simulator.bot_token}")
        for guild in world.guilds.values():
            click.echo(f"guild:      {guild.guild_id}  {guild.name}")
        click.echo("Ctrl+C ends it.")
        try:
            threading.Event().wait()
        except KeyboardInterrupt:
            click.echo("ended")
