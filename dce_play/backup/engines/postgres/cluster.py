"""A throw-away PostgreSQL server: a new cluster in a temporary folder, on a socket in that folder, gone afterwards.

As root it runs as an unprivileged user, as the server refuses anything else. Its superuser has a name that no dump
creates, so that a dump's own roles need no filter. The server dies with us, also by SIGKILL.
"""

import os
import pwd
import secrets
import shutil
import signal
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import msgspec

from dce_play.backup.definitions.model import PostgresKeys
from dce_play.backup.drills import drill_folder
from dce_play.backup.engines.postgres.programs import LONG_S
from dce_play.backup.engines.postgres.server import Server
from dce_play.backup.engines.postgres.tools import Tools
from dce_play.backup.errors import BackupError, ErrorId
from dce_play.backup.protocols import DrillOptions, Services
from dce_play.system.process.executor import Command
from dce_play.system.process.streaming import StreamedProgram

_USERS = ("nobody", "postgres")
_START_S = 60.0
_INITDB_S = 120.0
_LONGEST_SOCKET_FOLDER = 90
"""A socket's path has at most 107 bytes."""
_SETTINGS = """
listen_addresses = ''
unix_socket_directories = '{folder}'
unix_socket_permissions = 0700
fsync = off
synchronous_commit = off
full_page_writes = off
wal_level = minimal
max_wal_senders = 0
max_wal_size = 4GB
autovacuum = off
max_connections = 20
max_locks_per_transaction = 256
"""


class Throwaway(msgspec.Struct, frozen=True, kw_only=True):
    """A running throw-away server. ``folder`` holds all of it."""

    server: Server
    folder: Path
    superuser: str
    run_as: tuple[str, ...]
    """The argv before each program that must not run as root."""
    owner: tuple[int, int] | None
    seen_as: Path
    """The folder by the path that the server's own user can follow."""
    descriptor: int
    """The open folder; the server inherits it."""

    def place_tablespace(self, name: str) -> str:
        """Make a folder for a tablespace and return it. ``Edits.place_tablespace``."""
        place = self.folder / f"tablespace-{name.encode('utf-8', 'surrogateescape').hex()[:64]}"
        place.mkdir(mode=0o700)
        if self.owner is not None:
            os.chown(place, *self.owner)
        return str(self.seen_as / place.name)

    def command(self, program: str, *arguments: str, timeout_s: float) -> Command:
        """Return a command of the server's own programs, run as its user."""
        return Command(
            argv=(*self.run_as, self.server.tools.path(program), *arguments),
            timeout_s=timeout_s,
            cwd=Path("/"),
            env={"LC_ALL": "C"},
            pass_fds=(self.descriptor,),
        )


def _unprivileged() -> tuple[tuple[str, ...], tuple[int, int] | None]:
    """Return the argv that makes a program of ours die with us and, for root, run as somebody else."""
    setpriv = shutil.which("setpriv")
    if os.geteuid() != 0:
        return ((setpriv, "--pdeathsig", "QUIT", "--") if setpriv else ()), None
    if setpriv is None:
        raise BackupError(
            ErrorId.NO_TOOL, "no setpriv to run a server as an unprivileged user", hint="apt install util-linux"
        )
    for name in _USERS:
        with suppress(KeyError):
            user = pwd.getpwnam(name)
            become = ("--reuid", str(user.pw_uid), "--regid", str(user.pw_gid), "--clear-groups")
            return (setpriv, *become, "--pdeathsig", "QUIT", "--"), (user.pw_uid, user.pw_gid)
    raise BackupError(ErrorId.NO_TOOL, f"no unprivileged user: neither {' nor '.join(_USERS)}")


@contextmanager
def throwaway(tools: Tools, services: Services, options: DrillOptions) -> Iterator[Throwaway]:
    """Run a new, empty server while the block runs; with ``keep`` it runs on afterwards.

    Raises: BackupError (``no-tool``): a machine on which no server can be started says nothing about the backup.
    """
    run_as, owner = _unprivileged()
    superuser = f"dce_drill_{secrets.token_hex(6)}"
    with drill_folder(services, options) as folder:
        is_long = len(str(folder)) > _LONGEST_SOCKET_FOLDER
        if is_long and options.keep:
            raise BackupError(ErrorId.USAGE, f"{folder} is too long for a socket", hint="give a shorter --drill-dir")
        if owner is not None:
            os.chown(folder, *owner)
        with _open_folder(folder) as descriptor:
            made = Throwaway(
                server=Server(
                    module="drill",
                    keys=PostgresKeys(
                        socket=f"/proc/{os.getpid()}/fd/{descriptor}" if is_long else str(folder), user=superuser
                    ),
                    tools=tools,
                    services=services,
                ),
                folder=folder,
                superuser=superuser,
                run_as=run_as,
                owner=owner,
                seen_as=_by(descriptor) if is_long else _as_seen(folder, descriptor, run_as, services),
                descriptor=descriptor,
            )
            _initialise(made)
            if options.keep:
                _start_for_good(made)
                try:
                    yield made
                except BaseException:
                    _stop(made)
                    raise
            else:
                with _running(made):
                    yield made


@contextmanager
def _open_folder(folder: Path) -> Iterator[int]:
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        yield descriptor
    finally:
        os.close(descriptor)


def _as_seen(folder: Path, descriptor: int, run_as: tuple[str, ...], services: Services) -> Path:
    """Return a path to the folder that the server's user can follow.

    Where one of its parents is root's alone, that is the descriptor which the server inherits.
    """
    looking = Command(argv=(*run_as, "test", "-w", str(folder)), timeout_s=10.0)
    if not run_as or services.executor.run(looking).exit_code == 0:
        return folder
    return _by(descriptor)


def _by(descriptor: int) -> Path:
    return Path(f"/proc/self/fd/{descriptor}")


def _run(made: Throwaway, program: str, *arguments: str, timeout_s: float) -> None:
    command = made.command(program, *arguments, timeout_s=timeout_s)
    finished = made.server.services.executor.run(command)
    if finished.exit_code != 0:
        said = finished.stderr.strip() or finished.stdout.strip()
        hint = "give a --drill-dir that an unprivileged user can reach" if "ermission denied" in said else ""
        raise BackupError(ErrorId.NO_TOOL, f"{program} failed: {said}", hint=hint)


def _initialise(made: Throwaway) -> None:
    _run(
        made, "initdb", "-D", str(made.seen_as / "data"), "-U", made.superuser, "--auth=trust", "--no-locale",
        "--encoding=UTF8", "--no-sync", timeout_s=_INITDB_S,
    )  # fmt: skip
    with (made.folder / "data" / "postgresql.conf").open("a", encoding="utf-8") as file:
        file.write(_SETTINGS.format(folder=str(made.seen_as).replace("'", "''")))


def _start_for_good(made: Throwaway) -> None:
    data, log = str(made.seen_as / "data"), str(made.seen_as / "log")
    words = ("-D", data, "-w", "-t", str(int(_START_S)), "-l", log, "start")
    _run(_without_death(made), "pg_ctl", *words, timeout_s=_START_S + 10.0)


def _stop(made: Throwaway) -> None:
    """Stop a server that was to be kept, because the drill could not be made."""
    _run(made, "pg_ctl", "-D", str(made.seen_as / "data"), "-m", "immediate", "-w", "stop", timeout_s=_START_S)


def _without_death(made: Throwaway) -> Throwaway:
    """Return it so that what it starts lives on without us."""
    words = [word for word in made.run_as if word not in {"--pdeathsig", "QUIT"}]
    return msgspec.structs.replace(made, run_as=tuple(words))


@contextmanager
def _running(made: Throwaway) -> Iterator[None]:
    command = made.command("postgres", "-D", str(made.seen_as / "data"), timeout_s=LONG_S)
    with made.server.services.streams.open(command) as program:
        try:
            _await_start(made, program)
            yield
        finally:
            with suppress(ProcessLookupError):
                os.kill(program.pid, signal.SIGQUIT)  # nothing in it is worth a checkpoint
            program.finish()


def _await_start(made: Throwaway, program: StreamedProgram) -> None:
    clock = made.server.services.clock
    deadline = clock.monotonic() + _START_S
    ready = Command(
        argv=(made.server.tools.path("pg_isready"), "-h", made.server.keys.socket, "-q"),
        timeout_s=10.0,
        env={"LC_ALL": "C"},
    )
    while made.server.services.executor.run(ready).exit_code != 0:
        if os.waitid(os.P_PID, program.pid, os.WEXITED | os.WNOHANG | os.WNOWAIT) is not None:
            raise BackupError(ErrorId.NO_TOOL, f"the throw-away server did not start: {program.last_words()}")
        if clock.monotonic() >= deadline:
            raise BackupError(ErrorId.NO_TOOL, f"the throw-away server was not ready after {_START_S:g} s")
        clock.sleep(0.05)
