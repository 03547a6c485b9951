"""Which exporter a run uses, and how it is opened.

with open_exporter(chosen_exporter("auto", environ), context) as exporter:
    exporter.export(request, on_progress=show, cancelled=stop)
"""

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path
from typing import assert_never

from dce_play.discord.exporters.container import ContainerLauncher, leftover_containers
from dce_play.discord.exporters.container_settings import settings_from
from dce_play.discord.exporters.dce_cli import CliExporter, version_warning
from dce_play.discord.exporters.dce_launch import CLI_VARIABLE, Launcher, LocalLauncher, installed_dce_cli
from dce_play.discord.exporters.discord_api.exporter import DEFAULT_API_BASE, DiscordApiExporter
from dce_play.discord.exporters.discord_api.rest.client import ClientLimits
from dce_play.discord.exporters.engines import detect_engine
from dce_play.discord.exporters.protocol import Exporter
from dce_play.errors import UsageError
from dce_play.source import did_you_mean
from dce_play.system.clock import Clock
from dce_play.system.process.containers import NoteContainer, note_nowhere
from dce_play.system.process.executor import Executor

API_BASE_VARIABLE = "DCE_DISCORD_API_BASE"
AUTO = "auto"


class ExporterName(StrEnum):
    """The exporters that there are."""

    DISCORD_API = "discord_api"
    DCE_CLI = "dce_cli"
    CONTAINER = "container"


class UnknownExporter(UsageError):
    """Nothing exports under this name."""

    def __init__(self, name: str) -> None:
        super().__init__(f'no exporter "{name}"', hint=did_you_mean(name, [AUTO, *ExporterName]))
        self.name = name


class NoArchiveRoot(UsageError):
    """A container can only write below an archive root, and none is known."""

    def __init__(self) -> None:
        super().__init__("the container exporter needs an archive root", hint="use another --exporter")


@dataclass(frozen=True, slots=True, kw_only=True)
class ExporterContext:
    """What exporters are opened with."""

    environ: Mapping[str, str]
    token: str = field(repr=False)
    clock: Clock
    executor: Executor
    """For the exporters that run programs."""
    limits: ClientLimits = field(default_factory=ClientLimits)
    """For ours."""
    reaction_users: bool = True
    archive_root: Path | None = None
    container_memory: str | None = None
    lock_id: str = ""
    announce: NoteContainer = note_nowhere
    """Entered around each container."""
    note: Callable[[str], None] = lambda _: None
    """Told what people should know: a foreign program's own lines, an old version, a container left behind."""


def chosen_exporter(asked: str, environ: Mapping[str, str]) -> ExporterName:
    """Return the exporter to use. ``auto`` is our own, unless ``DCE_CLI_BIN`` names a DiscordChatExporter to run.

    Raises: UnknownExporter.
    """
    if asked == AUTO:
        return ExporterName.DCE_CLI if environ.get(CLI_VARIABLE) else ExporterName.DISCORD_API
    try:
        return ExporterName(asked)
    except ValueError as error:
        raise UnknownExporter(asked) from error


def api_base(environ: Mapping[str, str]) -> str:
    """Return the API base: ``DCE_DISCORD_API_BASE``, else Discord's."""
    return environ.get(API_BASE_VARIABLE) or DEFAULT_API_BASE


@contextmanager
def open_exporter(name: ExporterName, context: ExporterContext) -> Iterator[Exporter]:
    """Open an exporter for as long as the block runs.

    Raises: BadToken, BadApiBase; NoDceCli; NoEngine, NoArchiveRoot, BadSetting, BadComposeFile.
    """
    match name:
        case ExporterName.DISCORD_API:
            exporter = DiscordApiExporter(
                api_base(context.environ),
                context.token,
                clock=context.clock,
                limits=context.limits,
                reaction_users=context.reaction_users,
                note=context.note,
            )
            try:
                yield exporter
            finally:
                exporter.close()
        case ExporterName.DCE_CLI:
            launcher = LocalLauncher(binary=installed_dce_cli(context.environ), token=context.token)
            yield _driving(launcher, context)
        case ExporterName.CONTAINER:
            yield _driving(_container(context), context)
        case _:
            assert_never(name)


def _driving(launcher: Launcher, context: ExporterContext) -> CliExporter:
    exporter = CliExporter(
        context.executor,
        launcher,
        prove=True,
        on_line=lambda _, line: context.note(line),
        clock=context.clock,
    )
    warning = version_warning(exporter.version())
    if warning:
        context.note(f"WARN: {warning}")
    return exporter


def _container(context: ExporterContext) -> ContainerLauncher:
    if context.archive_root is None:
        raise NoArchiveRoot
    engine = detect_engine(context.executor, context.environ)
    settings = settings_from(
        context.environ,
        engine,
        archive_root=context.archive_root,
        target_memory=context.container_memory,
    )
    for name in leftover_containers(context.executor, engine):
        context.note(
            f"WARN: container {name} is still there; a killed run may have left it: {engine.control[0]} rm -f {name}"
        )
    return ContainerLauncher(
        control=context.executor,
        engine=engine,
        settings=settings,
        token=context.token,
        lock_id=context.lock_id,
        announce=context.announce,
    )
