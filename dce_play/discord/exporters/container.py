"""Runs DiscordChatExporter in a container: docker or podman, by compose or directly.

    engine = detect_engine(executor, os.environ)
    settings = settings_from(os.environ, engine, archive_root=root, target_memory=target.container_memory)
    launcher = ContainerLauncher(control=executor, engine=engine, settings=settings, token=token, lock_id=lock_id)
    exporter = CliExporter(executor, launcher)

The archive root is mounted at its own path, so that a path means the same file inside and outside. The token is
handed over in files of mode 600 that are gone when the container is.
"""

import secrets
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path

from dce_play.discord.exporters.container_settings import SERVICE, ContainerSettings
from dce_play.discord.exporters.engines import Engine
from dce_play.discord.exporters.protocol import ExportError
from dce_play.errors import DcePlayError
from dce_play.system.durable.whole_files import write_atomic
from dce_play.system.process.containers import NoteContainer, note_nowhere
from dce_play.system.process.executor import Command, Executor

LOCK_LABEL = "dce-play.lock"
"""The label that tells whose archive lock a container writes under."""

_NAME_PREFIX = "dce-play-"
_CONTROL_TIMEOUT_S = 60.0
_INNER_SCRATCH = Path("/tmp")  # noqa: S108 - inside the container, and gone with it


class OutsideMount(ExportError):
    """An export would be written where the container cannot write it."""

    def __init__(self, output: Path, archive_root: Path) -> None:
        super().__init__(
            f"{output} is not inside {archive_root}, which is what the container has mounted",
            hint="staging folders belong under the archive root",
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class ContainerLauncher:
    """Runs each DCE process in a container of its own, which is removed when the process has ended, however it did."""

    control: Executor
    """Runs the engine's own commands."""
    engine: Engine
    settings: ContainerSettings
    token: str = field(repr=False)
    lock_id: str = ""
    announce: NoteContainer = note_nowhere
    """Entered around each container with its ``engine:name``: a container inherits no lock."""
    name: str = "container"

    @property
    def merges_streams(self) -> bool:
        """Whether a terminal makes one stream of standard output and standard error."""
        return self.engine.compose and self.settings.tty

    @contextmanager
    def command(
        self,
        arguments: tuple[str, ...],
        /,
        *,
        timeout_s: float,
        pass_fds: tuple[int, ...],  # noqa: ARG002 - no descriptor reaches a container
    ) -> Iterator[Command]:
        container = _NAME_PREFIX + secrets.token_hex(6)
        announced = self.announce(f"{self.engine.family}:{container}")
        with tempfile.TemporaryDirectory(prefix="dce-play-") as folder, announced:
            variables = self._variables(Path(folder))
            env_file = self._write_secrets(Path(folder), variables)
            argv = self._compose_argv if self.engine.compose else self._direct_argv
            try:
                yield Command(
                    argv=(*argv(env_file, container), *arguments),
                    timeout_s=timeout_s,
                    cwd=Path(folder),  # podman's monitor drops a file where it runs when memory runs out
                    env={**variables, "DISCORD_TOKEN": self.token},
                    secrets=frozenset({self.token}),
                )
            except BaseException:
                self._remove(container)
                raise

    def check_output(self, output: Path, /) -> None:
        """Refuse a file outside the archive root: it is the only folder that is mounted."""
        root = self.settings.archive_root
        if not (output.is_relative_to(root) and output.resolve().is_relative_to(root.resolve())):
            raise OutsideMount(output, root)

    @contextmanager
    def scratch(self) -> Iterator[Path]:
        yield _INNER_SCRATCH

    def _compose_argv(self, env_file: Path, container: str) -> tuple[str, ...]:
        terminal = () if self.settings.tty else ("-T",)
        return (
            *self.engine.argv,
            *("--env-file", str(env_file), "-f", str(self.settings.compose_file), "run"),
            *(*terminal, "--rm", "--name", container, "--label", f"{LOCK_LABEL}={self.lock_id}", SERVICE),
        )

    def _direct_argv(self, env_file: Path, container: str) -> tuple[str, ...]:
        settings = self.settings
        userns = ("--userns", settings.userns) if settings.userns else ()
        memory = ("--memory", settings.memory) if settings.memory else ()
        label = ":z" if settings.selinux else ""
        return (
            *(*self.engine.argv, "run", "--rm", "--name", container, "--label", f"{LOCK_LABEL}={self.lock_id}"),
            *("--env-file", str(env_file), "--user", f"{settings.uid}:{settings.gid}", *userns, *memory),
            *("--volume", f"{settings.archive_root}:{settings.archive_root}{label}", settings.image),
        )

    def _variables(self, folder: Path) -> Mapping[str, str]:
        """Return what a compose file may refer to; in the environment too, which beats the env file there."""
        settings = self.settings
        return {
            "DCE_ARCHIVE_ROOT": str(settings.archive_root),
            "DCE_CONTAINER_IMAGE": settings.image,
            "DCE_CONTAINER_MEMORY": settings.memory or "0",
            "DCE_UID": str(settings.uid),
            "DCE_GID": str(settings.gid),
            "DCE_USERNS_MODE": settings.userns,
            "DCE_LABEL_OPTION": ",z" if settings.selinux else "",
            "DCE_TOKEN_FILE": str(folder / "token"),
        }

    def _write_secrets(self, folder: Path, variables: Mapping[str, str]) -> Path:
        """Write the token's file and the env file; the folder itself is ours alone."""
        write_atomic(folder / "token", self.token.encode(), mode=0o600)
        told = {"DISCORD_TOKEN": self.token, **(variables if self.engine.compose else {})}
        text = "".join(f"{name}={value}\n" for name, value in told.items())
        write_atomic(folder / "scrape.env", text.encode(), mode=0o600)
        return folder / "scrape.env"

    def _remove(self, container: str) -> None:
        """End and remove a container whose client is gone: the engine would let it run on."""
        with suppress(DcePlayError):
            self.control.run(
                Command(
                    argv=(*self.engine.control, "rm", "--force", container),
                    timeout_s=_CONTROL_TIMEOUT_S,
                    is_question=True,
                    tidies_up=True,
                )
            )


def leftover_containers(control: Executor, engine: Engine, /) -> list[str]:
    """Return the names of exporter containers that still exist, such as a killed run left behind.

    They are found by name, as podman-compose gives them no labels. Raises: ContainersUnknown.
    """
    argv = (*engine.control, "ps", "--all", "--filter", f"name={_NAME_PREFIX}", "--format", "{{.Names}}")
    finished = control.run(Command(argv=argv, timeout_s=_CONTROL_TIMEOUT_S, is_question=True))
    if finished.exit_code != 0:
        raise ContainersUnknown(engine.name, finished.stderr)
    return [name for name in finished.stdout.split() if name.startswith(_NAME_PREFIX)]


class ContainersUnknown(DcePlayError):
    """The engine does not say which containers there are."""

    def __init__(self, engine: str, said: str) -> None:
        super().__init__(f"{engine} does not list its containers: {' '.join(said.split())[:300]}")
