"""Databases renamed out of the way before a restore, and back again if it fails.

One connection is held open from before the first rename: the dump sets roles' passwords, so a second connection might
not be let in when it is needed most.
"""

import secrets
from collections.abc import Iterator
from contextlib import contextmanager, suppress

import msgspec

from dce_play.backup.engines.postgres.dump_names import literal, quoted
from dce_play.backup.engines.postgres.loading import FIRST_DATABASE
from dce_play.backup.engines.postgres.programs import LONG_S
from dce_play.backup.engines.postgres.server import Server
from dce_play.backup.errors import BackupError, ErrorId
from dce_play.errors import ExitCode
from dce_play.system.process.executor import NoSuchProgram
from dce_play.system.process.streaming import StreamedProgram

_LONGEST_NAME_BYTES = 63


class Session:
    """A connection that stays open, with answers to one statement at a time."""

    def __init__(self, program: StreamedProgram, server: Server) -> None:
        self._program = program
        self._server = server
        self._rest = b""

    def do(self, statement: str) -> None:
        """Run one statement to its end.

        Raises: BackupError (``engine-failed``), when the server refuses it or is gone.
        """
        mark = f"dce-play {secrets.token_hex(8)}"
        try:
            self._program.write(f"{statement};\n\\echo {mark} :ERROR\n".encode("utf-8", "surrogateescape"))
        except BrokenPipeError:
            raise self._failed(statement) from None
        if self._answer(mark.encode()) != b"false":
            raise self._failed(statement)

    def _answer(self, mark: bytes) -> bytes:
        while True:
            line, found, rest = self._rest.partition(b"\n")
            if found:
                self._rest = rest
                if line.startswith(mark):
                    return line[len(mark) :].strip()
            elif more := self._program.read():
                self._rest += more
            else:
                return b"gone"

    def _failed(self, statement: str) -> BackupError:
        said = self._program.last_words().splitlines()
        why = said[-1] if said else "the connection is gone"
        return BackupError(ErrorId.ENGINE_FAILED, f"{self._server.where}: {statement}: {why}")


@contextmanager
def session(server: Server) -> Iterator[Session]:
    """Hold a connection open while the block runs.

    Raises: BackupError.
    """
    command = server.command("psql", "-X", "-A", "-t", "-q", "-f", "-", database=FIRST_DATABASE, timeout_s=LONG_S)
    try:
        with server.services.streams.open(command, stdin=True) as program:
            yield Session(program, server)
    except NoSuchProgram as error:
        raise BackupError(ErrorId.NO_TOOL, str(error), hint=error.hint) from error


class Moved(msgspec.Struct, frozen=True, kw_only=True):
    """A database and the name under which it waits."""

    name: str
    aside: str
    connectable: bool


def aside_name(name: str, stamp: str) -> str:
    """Return ``<name>_before_<stamp>``, with the name cut where the server would cut the whole and lose the stamp."""
    suffix = f"_before_{stamp}"
    room = _LONGEST_NAME_BYTES - len(suffix)
    return name.encode("utf-8", "surrogateescape")[:room].decode("utf-8", "ignore") + suffix


def put_aside(held: Session, name: str, *, stamp: str, connectable: bool) -> Moved:
    """End a database's sessions and rename it.

    Raises: BackupError, with the database as it was.
    """
    moved = Moved(name=name, aside=aside_name(name, stamp), connectable=connectable)
    try:
        _close(held, name)
        held.do(f"ALTER DATABASE {quoted(name)} RENAME TO {quoted(moved.aside)}")
    except BaseException:
        _allow(held, name, connectable=connectable)
        raise
    _allow(held, moved.aside, connectable=connectable)
    return moved


def _close(held: Session, name: str) -> None:
    """Keep new sessions out of a database, and end those that are there."""
    held.do(f"ALTER DATABASE {quoted(name)} ALLOW_CONNECTIONS false")
    _end_sessions(held, name)


def _end_sessions(held: Session, name: str) -> None:
    held.do(
        # the name is quoted as a constant
        "SELECT pg_catalog.pg_terminate_backend(pid) FROM pg_catalog.pg_stat_activity"  # noqa: S608
        f" WHERE datname = {literal(name).strip()} AND pid <> pg_catalog.pg_backend_pid()"
    )


def _allow(held: Session, name: str, *, connectable: bool) -> None:
    held.do(f"ALTER DATABASE {quoted(name)} ALLOW_CONNECTIONS {str(connectable).lower()}")


def put_back(held: Session, moved: list[Moved], created: list[str], *, force: bool) -> None:
    """Remove the databases that the load has made, and give those that wait their names again.

    ``force``: the server is 13 or newer, and ends the sessions of what it drops.

    Raises: BackupError, which says what waits where, after all that can be put back is back.
    """
    failures = []
    for name in created:
        try:
            _remove(held, name, force=force)
        except BackupError as error:
            failures.append(str(error))
    for each in moved:
        try:
            _close(held, each.aside)
            held.do(f"ALTER DATABASE {quoted(each.aside)} RENAME TO {quoted(each.name)}")
            _allow(held, each.name, connectable=each.connectable)
        except BackupError as error:
            failures.append(f"{each.name} waits as {each.aside}: {error}")
    if failures:
        raise BackupError(
            ErrorId.ENGINE_FAILED,
            f"not all could be put back: {'; '.join(failures)}",
            hint="rename what waits by hand: ALTER DATABASE … RENAME TO …",
            exit_code=ExitCode.FAILED,
        )


def _remove(held: Session, name: str, *, force: bool) -> None:
    """Remove a database that our own load has made; nothing happens when it was not made."""
    with suppress(BackupError):  # it may not have been made
        held.do(f"ALTER DATABASE {quoted(name)} IS_TEMPLATE false")
    _end_sessions(held, name)
    held.do(f"DROP DATABASE IF EXISTS {quoted(name)}{' WITH (FORCE)' if force else ''}")
