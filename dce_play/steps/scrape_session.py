"""What a step about Discord opens its session in."""

from typing import Annotated, Literal

from dce_play.discord.exporters.discord_api.rest.client import ClientLimits
from dce_play.discord.scrape.reporting import warnings_apart
from dce_play.discord.scrape.session import SessionContext
from dce_play.plugin import Context, Info

ExporterChoice = Annotated[
    Literal["", "auto", "discord_api", "dce_cli", "container"],
    Info(help="What fetches the messages; empty: the target's choice, else auto."),
]


def session_context(ctx: Context, limits: ClientLimits | None = None) -> SessionContext:
    """Return the surroundings of a session: the step's own, with ``limits`` for our own exporter."""
    return SessionContext(
        environment=ctx.environment,
        folder=ctx.folder,
        archive_root=ctx.targets_file.archive_root,
        executor=ctx.executor,
        clock=ctx.clock,
        protect=ctx.secrets.protect,
        note=warnings_apart(ctx.reporter.say, ctx.reporter.note),
        note_container=ctx.note_container,
        limits=limits or ClientLimits(),
    )
