"""A connection that is held open while databases change their names: one statement at a time, each answered.

It is open from before the first rename: the dump sets roles' passwords, so a second connection might not be let in
when it is needed most.
"""

import secrets
import time
from collections.abc import Iterator
from contextlib import contextmanager

from dce_play.backup.engines.postgres.dump.names import literal
from dce_play.backup.engines.postgres.loading import FIRST_DATABASE
from dce_play.backup.engines.postgres.programs import LONG_S
from dce_play.backup.engines.postgres.server import Server
from dce_play.backup.errors import BackupError, ErrorId
from dce_play.system.process.executor import NoSuchProgram
from dce_play.system.process.streaming import StreamedProgram

_LOST_S = 60.0
_TICK_S = 0.05


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
