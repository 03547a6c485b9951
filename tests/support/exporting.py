"""Exports in one line, for tests."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from dce_play.discord.exporters.discord_api.exporter import DiscordApiExporter
from dce_play.discord.exporters.discord_api.rest.client import ClientLimits
from dce_play.discord.exporters.protocol import ExportOutcome, ExportProgress, ExportRequest
from dce_play.snowflake import ChannelId, MessageId
from dce_play.system.clock import Clock
from tests.support.fakes import FakeClock
from tests.support.scripted_discord import TOKEN, ScriptedDiscord


@contextmanager
def opened(
    discord: ScriptedDiscord,
    clock: Clock | None = None,
    *,
    limits: ClientLimits | None = None,
    reaction_users: bool = True,
) -> Iterator[DiscordApiExporter]:
    """Open an exporter that asks this server."""
    exporter = DiscordApiExporter(
        discord.base_url, TOKEN, clock=clock or FakeClock(), limits=limits, reaction_users=reaction_users
    )
    try:
        yield exporter
    finally:
        exporter.close()


def export(
    exporter: DiscordApiExporter,
    output: Path,
    *,
    channel_id: str = "111",
    after: str | None = None,
    on_progress: Callable[[ExportProgress], None] = lambda _: None,
    cancelled: Callable[[], bool] = lambda: False,
) -> ExportOutcome:
    """Export one channel into a file."""
    request = ExportRequest(
        channel_id=ChannelId(channel_id), output=output, after=None if after is None else MessageId(after)
    )
    return exporter.export(request, on_progress=on_progress, cancelled=cancelled)
