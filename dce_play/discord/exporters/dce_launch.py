"""Where a DiscordChatExporter.Cli runs, and the one that is installed on this machine."""

import shutil
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import ClassVar, Protocol

from dce_play.errors import DcePlayError, ExitCode
from dce_play.system.process.executor import Command

CLI_VARIABLE = "DCE_CLI_BIN"
CLI_NAME = "DiscordChatExporter.Cli"
CLI_PLACE = Path("/opt/app") / CLI_NAME
"""Where the container image has it."""


class NoDceCli(DcePlayError):
    """No DiscordChatExporter.Cli is where it should be."""

    exit_code: ClassVar[ExitCode] = ExitCode.PREFLIGHT

    def __init__(self, place: str) -> None:
        super().__init__(f"no DiscordChatExporter.Cli {place}", hint=f"set {CLI_VARIABLE} to the program's path")


class Launcher(Protocol):
    """Where DCE processes run."""

    @property
    def name(self) -> str:
        """The exporter's name: ``dce_cli`` or ``container``."""

    @property
    def merges_streams(self) -> bool:
        """Whether standard error comes mixed into standard output."""

    def command(
        self, arguments: tuple[str, ...], /, *, timeout_s: float, pass_fds: tuple[int, ...]
    ) -> AbstractContextManager[Command]:
        """Return the command for these DCE arguments; what it needs stands while the block runs."""

    def check_output(self, output: Path, /) -> None:
        """Refuse a file that a DCE process could not write where we expect it."""

    def scratch(self) -> AbstractContextManager[Path]:
        """Return a folder for files that nobody wants, gone after the block."""


@dataclass(frozen=True, slots=True, kw_only=True)
class LocalLauncher:
    """Runs DCE on this machine. The token travels in the environment, never among the arguments."""

    binary: Path
    token: str = field(repr=False)
    name: str = "dce_cli"
    merges_streams: bool = False

    @contextmanager
    def command(
        self, arguments: tuple[str, ...], /, *, timeout_s: float, pass_fds: tuple[int, ...]
    ) -> Iterator[Command]:
        yield Command(
            argv=(str(self.binary), *arguments),
            timeout_s=timeout_s,
            env={"DISCORD_TOKEN": self.token},
            secrets=frozenset({self.token}),
            pass_fds=pass_fds,
        )

    def check_output(self, output: Path, /) -> None:
        """Any place will do."""

    @contextmanager
    def scratch(self) -> Iterator[Path]:
        with tempfile.TemporaryDirectory(prefix="dce-play-") as folder:
            yield Path(folder)


def find_dce_cli(environ: Mapping[str, str]) -> Path | None:
    """Return the installed DCE: ``DCE_CLI_BIN``, else its place in the container image, else the PATH.

    Raises: NoDceCli, when ``DCE_CLI_BIN`` names nothing that can be run.
    """
    named = environ.get(CLI_VARIABLE, "")
    if named:
        found = shutil.which(named, path=environ.get("PATH", ""))
        if found is None:
            raise NoDceCli(f"at {named} ({CLI_VARIABLE})")
        return Path(found)
    if shutil.which(CLI_PLACE) is not None:
        return CLI_PLACE
    found = shutil.which(CLI_NAME, path=environ.get("PATH", ""))
    return None if found is None else Path(found)


def installed_dce_cli(environ: Mapping[str, str]) -> Path:
    """Return the installed DCE. Raises: NoDceCli, when there is none."""
    found = find_dce_cli(environ)
    if found is None:
        raise NoDceCli("is installed")
    return found
