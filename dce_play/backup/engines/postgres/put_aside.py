"""Databases renamed out of the way before a restore, and back again if it fails.

One connection is held open from before the first rename: the dump sets roles' passwords, so a second connection might
not be let in when it is needed most.
"""

import secrets
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress

import msgspec

from dce_play.backup.engines.postgres.dump.names import literal, quoted
from dce_play.backup.engines.postgres.loading import FIRST_DATABASE
from dce_play.backup.engines.postgres.programs import LONG_S
from dce_play.backup.engines.postgres.server import Server
from dce_play.backup.errors import BackupError, ErrorId
from dce_play.errors import ExitCode
from dce_play.system.process.executor import NoSuchProgram
from dce_play.system.process.streaming import StreamedProgram

_LONGEST_NAME_BYTES = 63
_LOST_S = 60.0
_TICK_S = 0.05
_PROCEDURES = 11
"""From this version on a block of the server's own language may commit in between."""


class Session:
    """A connection that stays open, with answers to one statement at a time."""

    def __init__(self, program: StreamedProgram, server: Server, *, major: int) -> None:
        """Raises: BackupError (``engine-failed``), when nobody answers."""
        self.major = major
        """The server's major version."""
        self._program = program
        self._server = server
        self._rest = b""
        self._backend = int(self.ask("SELECT pg_catalog.pg_backend_pid()"))

    def do(self, statement: str, *, told: str = "") -> None:
        """Run one statement to its end; ``told`` is what a failure calls it.

        Raises: BackupError (``engine-failed``), when the server refuses it or is gone.
        """
        self.ask(statement, told=told)

    def ask(self, statement: str, *, told: str = "") -> str:
        """Run one statement to its end and return what it prints, a line a row.

        Raises: BackupError (``engine-failed``), when the server refuses it or is gone.
        """
        printed, has_failed = self._exchange(f"{statement};")
        if has_failed == b"true":
            why, _ = self._exchange("\\echo :LAST_ERROR_MESSAGE")
            raise self._failed(told or statement, why.decode("utf-8", "replace").strip())
        if has_failed != b"false":
            self._program.finish()  # standard error is whole now
            said = self._program.last_words().splitlines() or ["the connection is gone"]
            raise self._failed(told or statement, said[-1])
        return printed.decode("utf-8", "surrogateescape")

    def has(self, database: str) -> bool:
        """Return whether there is a database of this name, once everything that was asked before is done.

        Raises: BackupError, when nobody can tell.
        """
        named = literal(database).strip()
        return self.ask(f"SELECT count(*) FROM pg_catalog.pg_database WHERE datname = {named}") == "1"  # noqa: S608 - quoted

    @contextmanager
    def alive(self) -> Iterator["Session"]:
        """Give this connection, or a new one if it is lost, once the server has ended what the lost one began.

        Raises: BackupError, when the server is out of reach or still at work for the lost one.
        """
        try:
            self.do("SELECT 1")
        except BackupError:
            with session(self._server, major=self.major) as another:
                another.wait_for(self._backend)
                yield another
        else:
            yield self

    def wait_for(self, backend: int) -> None:
        """Wait until the server's process of a lost connection has ended: a statement that runs is run to its end.

        Raises: BackupError, when it has not after a minute.
        """
        deadline = time.monotonic() + _LOST_S
        there = f"SELECT count(*) FROM pg_catalog.pg_stat_activity WHERE pid = {backend}"  # noqa: S608 - a number
        while self.ask(there) != "0":
            if time.monotonic() >= deadline:
                raise BackupError(
                    ErrorId.ENGINE_FAILED,
                    f"{self._server.where}: the lost connection's process {backend} is still at work",
                )
            time.sleep(_TICK_S)

    def _exchange(self, text: str) -> tuple[bytes, bytes]:
        """Return what a line prints, and ``true`` or ``false`` for the failure of the last statement, or ``gone``."""
        mark = f"dce-play {secrets.token_hex(8)}"
        try:
            self._program.write(f"{text}\n\\echo {mark} :ERROR\n".encode("utf-8", "surrogateescape"))
        except (BrokenPipeError, ValueError):  # it reads no more; or was found gone before, and finished
            return b"", b"gone"
        return self._answer(mark.encode())

    def _answer(self, mark: bytes) -> tuple[bytes, bytes]:
        printed: list[bytes] = []
        while True:
            line, found, rest = self._rest.partition(b"\n")
            if found:
                self._rest = rest
                if line.startswith(mark):
                    return b"\n".join(printed), line[len(mark) :].strip()
                printed.append(line)
            elif more := self._program.read():
                self._rest += more
            else:
                return b"", b"gone"

    def _failed(self, statement: str, why: str) -> BackupError:
        return BackupError(ErrorId.ENGINE_FAILED, f"{self._server.where}: {statement}: {why}")


@contextmanager
def session(server: Server, *, major: int) -> Iterator[Session]:
    """Hold a connection open while the block runs.

    Raises: BackupError.
    """
    command = server.command("psql", "-X", "-A", "-t", "-q", "-f", "-", database=FIRST_DATABASE, timeout_s=LONG_S)
    try:
        with server.services.streams.open(command, stdin=True) as program:
            yield Session(program, server, major=major)
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


def planned(name: str, *, stamp: str, connectable: bool) -> Moved:
    """Return how a database is put aside."""
    return Moved(name=name, aside=aside_name(name, stamp), connectable=connectable)


def put_aside(held: Session, moved: Moved) -> None:
    """End a database's sessions and rename it.

    Raises: BackupError, with the database as it was.
    """
    _rename(held, moved.name, moved.aside, connectable=moved.connectable)


def _rename(held: Session, name: str, to: str, *, connectable: bool) -> None:
    """Keep new sessions out, end those that are there, rename, and let sessions in as before, whether it fails or not.

    The server does it as one: it comes to its end also when we are killed, or our connection goes.
    """
    if held.major < _PROCEDURES:
        try:
            held.do(f"ALTER DATABASE {quoted(name)} ALLOW_CONNECTIONS false")
            _end_sessions(held, name)
            held.do(f"ALTER DATABASE {quoted(name)} RENAME TO {quoted(to)}")
        except BaseException:
            _allow(held, name, connectable=connectable)
            raise
        _allow(held, to, connectable=connectable)
        return
    old, new = literal(name).strip(), literal(to).strip()
    tag = f"$dce{secrets.token_hex(8)}$"
    held.do(
        f"""DO {tag} DECLARE failed text; BEGIN
        EXECUTE pg_catalog.format('ALTER DATABASE %I ALLOW_CONNECTIONS false', {old});
        COMMIT;
        PERFORM pg_catalog.pg_terminate_backend(pid) FROM pg_catalog.pg_stat_activity
            WHERE datname = {old} AND pid <> pg_catalog.pg_backend_pid();
        BEGIN
            EXECUTE pg_catalog.format('ALTER DATABASE %I RENAME TO %I', {old}, {new});
        EXCEPTION WHEN OTHERS THEN failed := SQLERRM;
        END;
        EXECUTE pg_catalog.format('ALTER DATABASE %I ALLOW_CONNECTIONS {str(connectable).lower()}',
            CASE WHEN failed IS NULL THEN {new} ELSE {old} END);
        COMMIT;
        IF failed IS NOT NULL THEN RAISE EXCEPTION '%', failed; END IF;
        END {tag}""",
        told=f"ALTER DATABASE {quoted(name)} RENAME TO {quoted(to)}",
    )


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

    ``moved`` may name one that was not renamed any more. A lost connection is opened anew.

    ``force``: the server is 13 or newer, and ends the sessions of what it drops.

    Raises: BackupError, which says what waits where, after all that can be put back is back.
    """
    if not moved and not created:
        return
    try:
        with held.alive() as whole:
            failures = _all_back(whole, moved, created, force=force)
    except BackupError as error:
        failures = [*(f"{each.name} may wait as {each.aside}" for each in moved), str(error)]
    if failures:
        raise BackupError(
            ErrorId.ENGINE_FAILED,
            f"not all could be put back: {'; '.join(failures)}",
            hint="rename what waits by hand: ALTER DATABASE … RENAME TO …",
            exit_code=ExitCode.FAILED,
        )


def _all_back(held: Session, moved: list[Moved], created: list[str], *, force: bool) -> list[str]:
    """Return what could not be put back, and why."""
    failures = []
    for name in created:
        try:
            _remove(held, name, force=force)
        except BackupError as error:
            failures.append(str(error))
    for each in moved:
        try:
            if held.has(each.aside):
                _rename(held, each.aside, each.name, connectable=each.connectable)
        except BackupError as error:
            failures.append(f"{each.name} may wait as {each.aside}: {error}")
    return failures


def _remove(held: Session, name: str, *, force: bool) -> None:
    """Remove a database that our own load has made; nothing happens when it was not made."""
    with suppress(BackupError):  # it may not have been made
        held.do(f"ALTER DATABASE {quoted(name)} IS_TEMPLATE false")
    _end_sessions(held, name)
    held.do(f"DROP DATABASE IF EXISTS {quoted(name)}{' WITH (FORCE)' if force else ''}")
