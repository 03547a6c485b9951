"""A throw-away Redis server on a copy of the data: a socket of its own, no port, gone afterwards.

It is told that it is a replica of a master that does not exist: only a replica keeps keys whose time is up, so that
what it holds can be compared with what the snapshot announces. The server dies with us, also by SIGKILL.
"""

import os
import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import msgspec

from dce_play.backup.definitions.model import RedisKeys
from dce_play.backup.engines.redis.link import Link
from dce_play.backup.errors import BackupError, ErrorId
from dce_play.backup.protocols import Services
from dce_play.system.process.dying import dying_with_us
from dce_play.system.process.executor import Command, NoSuchProgram
from dce_play.system.process.streaming import StreamedProgram

_LONG_S = 7 * 24 * 3600.0
_NOBODYS_PORT = "1"
_PROMPT_S = 20.0
SOCKET = "s"
"""The socket's name in the data folder, which is the server's working folder."""
_LONGEST_SOCKET_FOLDER = 90
"""A socket's path has at most 107 bytes."""


class Held(msgspec.Struct, frozen=True, kw_only=True):
    """What a server has loaded: keys by database, and how many of them have a time to live."""

    databases: dict[str, int]
    version: str

    @property
    def keys(self) -> int:
        """All keys."""
        return sum(self.databases.values())


def server_argv(program: str, folder: Path, *, daemonize: str = "no") -> tuple[str, ...]:
    """Return the argv of a server on the data in a folder, without the setting of what it loads."""
    return (
        program, "--port", "0", "--unixsocket", SOCKET, "--unixsocketperm", "700",
        "--dir", str(folder), "--save", "", "--daemonize", daemonize, "--replicaof", "127.0.0.1", _NOBODYS_PORT,
    )  # fmt: skip


def is_short(folder: Path) -> bool:
    """Return whether a socket in the folder can be named by its path."""
    return len(str(folder)) <= _LONGEST_SOCKET_FOLDER


def link_to(socket: Path, services: Services) -> Link:
    """Return the way to the server behind a socket."""
    return Link(keys=RedisKeys(socket=str(socket)), services=services, container=None)


@contextmanager
def _reachable(folder: Path) -> Iterator[Path]:
    """Give a path to the folder that is short enough for a socket in it: where its own is not, that of a descriptor."""
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        yield folder if is_short(folder) else Path(f"/proc/{os.getpid()}/fd/{descriptor}")
    finally:
        os.close(descriptor)


@contextmanager
def serving(program: str, folder: Path, services: Services, *settings: str) -> Iterator[Held]:
    """Run a server on the data in a folder while the block runs, and say what it has loaded.

    Raises: BackupError: ``no-tool``, ``verify-failed`` when it does not load them.
    """
    argv = dying_with_us((*server_argv(program, folder), *settings))
    command = Command(argv=argv, timeout_s=_LONG_S, cwd=folder)
    try:
        with _reachable(folder) as short, services.streams.open(command) as running:
            try:
                yield _loaded(link_to(short / SOCKET, services), running)
            finally:
                with suppress(ProcessLookupError):
                    os.kill(running.pid, signal.SIGKILL)  # nothing in it is worth saving
                running.finish()
    except NoSuchProgram as error:
        raise BackupError(ErrorId.NO_TOOL, str(error), hint="install redis-server for drills") from error


def _loaded(link: Link, program: StreamedProgram) -> Held:
    """Return what a server has loaded.

    Raises: BackupError (``verify-failed``), with its last words.
    """

    def ended() -> BackupError | None:
        gone = os.waitid(os.P_PID, program.pid, os.WEXITED | os.WNOHANG | os.WNOWAIT)
        return None if gone is None else _not_loaded(program)

    await_loaded(link, give_up=ended)
    keyspace = link.info("keyspace")
    databases = {name.removeprefix("db"): _keys(value) for name, value in keyspace.items() if name.startswith("db")}
    return Held(databases=databases, version=link.info("server").get("redis_version", ""))


def await_loaded(link: Link, *, give_up: Callable[[], BackupError | None]) -> None:
    """Wait until the server has loaded its data, however long that takes; ``give_up`` says why it never will.

    Raises: BackupError.
    """
    clock = link.services.clock
    answers_by = clock.monotonic() + _PROMPT_S
    while True:
        reason = give_up()
        if reason is not None:
            raise reason
        try:
            if link.info("persistence").get("loading") == "0":
                return
            answers_by = clock.monotonic() + _PROMPT_S
        except BackupError as error:
            if error.error_id is ErrorId.NO_TOOL or clock.monotonic() >= answers_by:
                raise
        clock.sleep(0.05)


def _not_loaded(program: StreamedProgram) -> BackupError:
    output = b"".join(iter(program.read, b"")).decode(errors="replace").splitlines()
    said = [line.partition("# ")[2] for line in output if "# " in line] or output or ["it said nothing"]
    newer = next((line for line in said if "Can't handle RDB format version" in line), "")
    return BackupError(
        ErrorId.VERSION if newer else ErrorId.VERIFY_FAILED,
        f"a server does not start on the data: {newer or said[-1]}",
        hint="install a redis-server of the backup's version or newer" if newer else "",
    )


def _keys(value: str) -> int:
    pairs = dict(each.split("=", 1) for each in value.split(",") if "=" in each)
    return int(pairs.get("keys", "0"))
