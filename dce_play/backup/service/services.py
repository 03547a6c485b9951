"""The doors that engines are given, on this machine."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

from dce_play.backup.definitions.model import Module
from dce_play.backup.errors import BackupError, ErrorId
from dce_play.backup.protocols import Container
from dce_play.backup.service.containers import Containers
from dce_play.backup.service.temporary import temporary_folder
from dce_play.errors import DcePlayError
from dce_play.system.clock import Clock
from dce_play.system.process.executor import Command, Executor, Finished
from dce_play.system.process.streaming import Streams
from dce_play.system.redact import Masker

SECRET_VARIABLES = frozenset({"VAULT_TOKEN", "DISCORD_TOKEN", "AWS_SECRET_ACCESS_KEY", "AWS_ACCESS_KEY_ID"})
"""Variables of ours that no program inherits: what needs one gets it by name."""


class Withholding:
    """Runs programs as the executor behind it does, without some of the variables that they would inherit."""

    def __init__(self, executor: Executor, names: frozenset[str]) -> None:
        self._executor = executor
        self._names = names

    def run(
        self,
        command: Command,
        /,
        *,
        on_line: Callable[[str, str], None] | None = None,
        cancelled: Callable[[], bool] | None = None,
    ) -> Finished:
        withheld = replace(command, withheld=command.withheld | self._names)
        return self._executor.run(withheld, on_line=on_line, cancelled=cancelled)


class LocalServices:
    """``Services`` on this machine. ``resolve`` is the house's door to secrets, which masks what it gives."""

    def __init__(
        self,
        *,
        executor: Executor,
        streams: Streams,
        environment: Mapping[str, str],
        clock: Clock,
        resolve: Callable[[str], str],
        say: Callable[[str], None],
    ) -> None:
        self._executor = executor
        self._streams = streams
        self._environment = environment
        self._clock = clock
        self._resolve = resolve
        self._say = say
        self.containers = Containers(executor, environment, say)

    @property
    def executor(self) -> Executor:
        return self._executor

    @property
    def streams(self) -> Streams:
        return self._streams

    @property
    def environment(self) -> Mapping[str, str]:
        return self._environment

    @property
    def clock(self) -> Clock:
        return self._clock

    def secret(self, reference: str, /) -> str:
        """Return the secret behind a reference.

        Raises: BackupError (``invalid``).
        """
        try:
            return self._resolve(reference)
        except DcePlayError as error:
            raise BackupError(ErrorId.INVALID, str(error), hint=error.hint) from error

    def container(self, module: Module, /) -> Container | None:
        return self.containers.of_module(module)

    def mounting(self, module: Module, folders: Sequence[str], /) -> tuple[str, ...]:
        return tuple(each.name for each in self.containers.mounting(module.keys.container_engine, folders))

    def compose_containers(self, module: Module, project: str, /) -> tuple[Container, ...]:
        return tuple(self.containers.of_project(module.keys.container_engine, project))

    @contextmanager
    def temporary_folder(self, prefix: str, /, *, below: Path | None = None) -> Iterator[Path]:
        """Give a new folder, 0700; it is removed at the end, with all in it, also when we are killed."""
        with temporary_folder(prefix, self._streams, self._executor, below=below) as folder:
            yield folder

    def say(self, line: str, /) -> None:
        self._say(line)


def services_around(
    executor: Executor,
    environment: Mapping[str, str],
    clock: Clock,
    *,
    resolve: Callable[[str], str],
    say: Callable[[str], None],
    withheld: frozenset[str],
) -> LocalServices:
    """Return services around an executor that is there already: a step's.

    No program inherits a variable of ours that holds a secret, nor one that is ``withheld``.
    """
    hidden = SECRET_VARIABLES | withheld
    child = {name: value for name, value in environment.items() if name not in hidden}
    return LocalServices(
        executor=Withholding(executor, hidden),
        streams=Streams(child, Masker()),
        environment=environment,
        clock=clock,
        resolve=resolve,
        say=say,
    )
