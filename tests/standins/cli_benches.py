"""The benches of the exporters that drive DiscordChatExporter.Cli, for the exporters' contract suite."""

import json
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from dce_play.discord.exporters.container import ContainerLauncher
from dce_play.discord.exporters.container_settings import ContainerSettings
from dce_play.discord.exporters.dce_cli import CliExporter
from dce_play.discord.exporters.dce_launch import Launcher, LocalLauncher
from dce_play.discord.exporters.engines import Engine, Family
from dce_play.discord.exporters.protocol import Exporter
from dce_play.snowflake import ChannelId
from dce_play.system.process.executor import Executor, LocalExecutor
from dce_play.system.redact import Masker
from tests.standins.bench import DCE, EngineBench
from tests.support.scripted_discord import TOKEN

GUILD = "754679440998400000"
DOCKER = Engine(argv=("docker",), family=Family.DOCKER, compose=False, control=("docker",))


class CliBench:
    """A stand-in of DCE that knows the channels it was told of, and the exporter that drives it."""

    def __init__(self, script: Path, environ: dict[str, str], launcher: Callable[[Executor], Launcher]) -> None:
        self._script = script
        self._executor = LocalExecutor(environ, Masker())
        self._launcher = launcher
        self._channels: dict[str, dict[str, object]] = {}
        self._dead = False
        self._write()

    def channel(self, channel_id: ChannelId, message_ids: list[int]) -> None:
        self._channels[channel_id] = {"ids": [str(each) for each in message_ids]}
        self._write()

    def forbid(self, channel_id: ChannelId) -> None:
        self._channels[channel_id] = {"case": "forbidden"}
        self._write()

    def kill_token(self) -> None:
        self._dead = True
        self._write()

    @contextmanager
    def opened(self) -> Iterator[Exporter]:
        yield CliExporter(self._executor, self._launcher(self._executor))

    def _write(self) -> None:
        listings = {
            "guilds": f"0                  | Direct Messages\n{GUILD} | Fixture Guild",
            "channels": "\n".join(f"{channel_id} | Testing Grounds / room" for channel_id in self._channels),
            "dm": "",
        }
        script = {"channels": self._channels, "listings": listings, "strict": True, "dead": self._dead}
        self._script.write_text(json.dumps(script))


@contextmanager
def dce_cli_bench(folder: Path) -> Iterator[CliBench]:
    """Make a bench of the exporter that runs DCE on this machine."""
    script = folder / "dce.json"
    environ = {"PATH": os.environ["PATH"], "DCE_STANDIN": str(script)}
    yield CliBench(script, environ, lambda _: LocalLauncher(binary=DCE, token=TOKEN))


@contextmanager
def container_bench(folder: Path) -> Iterator[CliBench]:
    """Make a bench of the exporter that runs DCE in a container of a stand-in engine."""
    engines = EngineBench(folder, "docker")
    settings = ContainerSettings(archive_root=folder.parent, image="the/image:1")
    yield CliBench(
        folder / "dce.json",
        engines.environ,
        lambda control: ContainerLauncher(control=control, engine=DOCKER, settings=settings, token=TOKEN),
    )
