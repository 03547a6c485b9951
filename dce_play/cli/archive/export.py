"""``dce-play export``: one channel into one file, without an archive, a lock or a journal."""

import os
import signal
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import FrameType

import click

from dce_play.cli.app.working_folder import working_folder
from dce_play.discord.auth.discovery import discover_token, places
from dce_play.discord.exporters.choose import (
    API_BASE_VARIABLE,
    AUTO,
    ExporterContext,
    ExporterName,
    chosen_exporter,
    open_exporter,
)
from dce_play.discord.exporters.discord_api.rest.client import ClientLimits
from dce_play.discord.exporters.protocol import (
    ExportCancelled,
    ExportFormat,
    ExportOutcome,
    ExportProgress,
    ExportRequest,
)
from dce_play.errors import ExitCode, UsageError
from dce_play.snowflake import ChannelId, MessageId, is_number
from dce_play.system.clock import SystemClock
from dce_play.system.counted import counted
from dce_play.system.process.executor import LocalExecutor
from dce_play.system.redact import PROCESS, Masker


class OutputUnusable(UsageError):
    """The file cannot be written where it is asked for."""

    def __init__(self, path: Path) -> None:
        super().__init__(f"cannot write {path}", hint="name a new file in a folder that exists and can be written")
        self.path = path


class OutputStands(UsageError):
    """The file to write exists: it may be an archive."""

    def __init__(self, path: Path) -> None:
        super().__init__(f"{path} exists", hint="choose another --output, or --overwrite it")
        self.path = path


class NoSnowflake(UsageError):
    """An id is not a number that Discord gives."""

    def __init__(self, what: str, given: str) -> None:
        super().__init__(f'{what} "{given}" is not a Discord id', hint="ids are numbers, such as 123456789012345678")


@click.command("export")
@click.argument("channel_id")
@click.option("--output", required=True, type=click.Path(dir_okay=False, path_type=Path), help="The file to write.")
@click.option("--after", metavar="ID", help="Only messages newer than this one.")
@click.option(
    "--exporter",
    default=AUTO,
    show_default=True,
    type=click.Choice([AUTO, *map(str, ExporterName)]),
    help="What fetches the messages; auto: our own, or the DiscordChatExporter that DCE_CLI_BIN names.",
)
@click.option("--api-base", envvar=API_BASE_VARIABLE, metavar="URL", help="Discord's API; for tests.")
@click.option(
    "--reactions",
    default="users",
    show_default=True,
    type=click.Choice(["users", "counts"]),
    help="counts: do not ask who reacted. Saves most requests of busy channels.",
)
@click.option(
    "--dce-format",
    "export_format",
    default="2.46",
    show_default=True,
    type=click.Choice(["2.46", "latest"]),
    help="Which DiscordChatExporter's file to write; latest has forwards, polls and components.",
)
@click.option("--max-requests", type=click.IntRange(1), help="Stop after this many requests.")
@click.option("--overwrite", is_flag=True, help="Replace the file if it exists.")
def command(  # noqa: PLR0913 - one for each option
    channel_id: str,
    output: Path,
    after: str | None,
    *,
    exporter: str,
    api_base: str | None,
    reactions: str,
    export_format: str,
    max_requests: int | None,
    overwrite: bool,
) -> int:
    """Export one channel as JSON, in DiscordChatExporter's format.

    The token is found as ``dce-play auth status`` tells. An export that is stopped or fails leaves what it has: a file
    without an end, which ``dce-play archive salvage`` reads.

    \b
    Example:
      dce-play export 123456789012345678 --output room.json --after 1573523064803590321

    Exit 0: exported. Exit 1: failed, or the file exists. Exit 2: wrong call. Exit 7: no token, or one that Discord
    refuses.
    """
    for what, given in (("channel", channel_id), ("--after", after)):
        if given is not None and not is_number(given):
            raise NoSnowflake(what, given)
    if output.exists() and not overwrite:
        raise OutputStands(output)
    folder = output.absolute().parent
    if not (folder.is_dir() and os.access(folder, os.W_OK | os.X_OK)):
        raise OutputUnusable(output)
    environ = dict(os.environ) | ({API_BASE_VARIABLE: api_base} if api_base else {})
    found = discover_token(places(environ, working_folder()))
    for warning in found.warnings:
        click.echo(f"warning: {warning}", err=True)
    context = ExporterContext(
        environ=environ,
        token=found.token,
        clock=SystemClock(),
        executor=LocalExecutor(environ, Masker(PROCESS)),
        limits=ClientLimits(budget=max_requests),
        reaction_users=reactions == "users",
    )
    request = ExportRequest(
        channel_id=ChannelId(channel_id),
        output=output.absolute(),
        after=None if after is None else MessageId(after),
        format=ExportFormat(export_format),
    )
    with _stop_signals() as caught, open_exporter(chosen_exporter(exporter, environ), context) as opened:
        try:
            outcome = opened.export(request, on_progress=_Teller(), cancelled=lambda: bool(caught))
        except ExportCancelled as cancelled:
            click.echo(f"{cancelled}; what is there is in {output}", err=True)
            return ExitCode.TERMINATED if signal.SIGTERM in caught else ExitCode.INTERRUPTED
    click.echo(_summary(outcome, output))
    return ExitCode.OK


class _Teller:
    """Says on standard error how far the export is."""

    def __init__(self) -> None:
        self._began = time.monotonic()

    def __call__(self, progress: ExportProgress) -> None:
        rate = progress.message_count / max(time.monotonic() - self._began, 0.001)
        reached = f", up to {progress.last_timestamp}" if progress.last_timestamp else ""
        click.echo(f"{counted(progress.message_count, 'message', grouped=True)}{reached}, {rate:,.0f}/s", err=True)


def _summary(outcome: ExportOutcome, output: Path) -> str:
    if outcome.message_count == 0:
        return f"nothing newer: {output} has no messages" if output.exists() else f"nothing newer: no {output} is made"
    requests = "" if outcome.request_count is None else f", {counted(outcome.request_count, 'request', grouped=True)}"
    last = f"last id {outcome.last_id}, {outcome.completeness.value}{requests}"
    return f"exported {counted(outcome.message_count, 'message', grouped=True)} into {output} ({last})"


@contextmanager
def _stop_signals() -> Iterator[list[int]]:
    """Collect SIGINT and SIGTERM instead of dying of them. A second one ends the program at once."""
    caught: list[int] = []

    def note(number: int, _: FrameType | None) -> None:
        caught.append(number)
        if len(caught) > 1:
            raise KeyboardInterrupt

    before = {number: signal.signal(number, note) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield caught
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
