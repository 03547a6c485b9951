"""A throw-away PostgreSQL server: a new cluster in a temporary folder, on a socket in that folder, gone afterwards.

As root it runs as an unprivileged user, as the server refuses anything else. Its superuser has a name that no dump
creates, so that a dump's own roles need no filter. The server dies with us, also by SIGKILL.
"""

import os
import pwd
import secrets
import shutil
import signal
import tempfile
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext, suppress
from pathlib import Path

import msgspec

from dce_play.backup.definitions.model import PostgresKeys
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

    def place_tablespace(self, name: str) -> str:
        """Make a folder for a tablespace and return it. ``Edits.place_tablespace``."""
        place = self.folder / f"tablespace-{name.encode('utf-8', 'surrogateescape').hex()[:64]}"
        place.mkdir(mode=0o700)
        if self.owner is not None:
            os.chown(place, *self.owner)
        return str(place)


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


def _folder(services: Services, options: DrillOptions) -> AbstractContextManager[Path]:
    if options.keep:
        return nullcontext(Path(tempfile.mkdtemp(prefix="dce-drill-", dir=options.folder)))
    return services.temporary_folder("dce-drill-", below=options.folder)


@contextmanager
def throwaway(tools: Tools, services: Services, options: DrillOptions) -> Iterator[Throwaway]:
    """Run a new, empty server while the block runs; with ``keep`` it runs on afterwards.

    Raises: BackupError (``no-tool``, ``engine-failed``).
    """
    run_as, owner = _unprivileged()
    superuser = f"dce_drill_{secrets.token_hex(6)}"
    with _folder(services, options) as folder:
        if len(str(folder)) > _LONGEST_SOCKET_FOLDER:
            raise BackupError(ErrorId.USAGE, f"{folder} is too long for a socket", hint="give a shorter --drill-dir")
        if owner is not None:
            os.chown(folder, *owner)
        made = Throwaway(
            server=Server(
                module="drill",
                keys=PostgresKeys(socket=str(folder), user=superuser),
                tools=tools,
                services=services,
            ),
            folder=folder,
            superuser=superuser,
            run_as=run_as,
            owner=owner,
        )
        _initialise(made)
        if options.keep:
            _start_for_good(made)
            yield made
        else:
            with _running(made):
                yield made


def _run(made: Throwaway, program: str, *arguments: str, timeout_s: float) -> None:
    tools = made.server.tools
    argv = (*made.run_as, tools.path(program), *arguments)
    finished = made.server.services.executor.run(
        Command(argv=argv, timeout_s=timeout_s, cwd=made.folder, env={"LC_ALL": "C"})
    )
    if finished.exit_code != 0:
        said = finished.stderr.strip() or finished.stdout.strip()
        hint = "give a --drill-dir that an unprivileged user can reach" if "ermission denied" in said else ""
        raise BackupError(ErrorId.ENGINE_FAILED, f"{program} failed: {said}", hint=hint)


def _initialise(made: Throwaway) -> None:
    _run(
        made, "initdb", "-D", str(made.folder / "data"), "-U", made.superuser, "--auth=trust", "--no-locale",
        "--encoding=UTF8", "--no-sync", timeout_s=_INITDB_S,
    )  # fmt: skip
    with (made.folder / "data" / "postgresql.conf").open("a", encoding="utf-8") as file:
        file.write(_SETTINGS.format(folder=str(made.folder).replace("'", "''")))


def _start_for_good(made: Throwaway) -> None:
    words = ("-D", str(made.folder / "data"), "-w", "-t", str(int(_START_S)), "-l", str(made.folder / "log"), "start")
    _run(_without_death(made), "pg_ctl", *words, timeout_s=_START_S + 10.0)


def _without_death(made: Throwaway) -> Throwaway:
    """Return it so that what it starts lives on without us."""
    words = [word for word in made.run_as if word not in {"--pdeathsig", "QUIT"}]
    return msgspec.structs.replace(made, run_as=tuple(words))


@contextmanager
def _running(made: Throwaway) -> Iterator[None]:
    argv = (*made.run_as, made.server.tools.path("postgres"), "-D", str(made.folder / "data"))
    command = Command(argv=argv, timeout_s=LONG_S, cwd=made.folder, env={"LC_ALL": "C"})
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
        argv=(made.server.tools.path("pg_isready"), "-h", str(made.folder), "-q"), timeout_s=10.0, env={"LC_ALL": "C"}
    )
    while made.server.services.executor.run(ready).exit_code != 0:
        if os.waitid(os.P_PID, program.pid, os.WEXITED | os.WNOHANG | os.WNOWAIT) is not None:
            raise BackupError(ErrorId.ENGINE_FAILED, f"the throw-away server did not start: {program.last_words()}")
        if clock.monotonic() >= deadline:
            raise BackupError(ErrorId.ENGINE_FAILED, f"the throw-away server was not ready after {_START_S:g} s")
        clock.sleep(0.05)
