"""A stored dump loaded into a running server, and counted on the way."""

import os
from collections.abc import Iterator
from contextlib import contextmanager

from dce_play.backup.engines.postgres.custom.archive import COUNTS, GLOBALS, LIST, ArchiveReader, read_json
from dce_play.backup.engines.postgres.custom.check import database_of, member_names
from dce_play.backup.engines.postgres.custom.listing import listing
from dce_play.backup.engines.postgres.custom.source import FORMAT as CUSTOM
from dce_play.backup.engines.postgres.dump.edits import Edits
from dce_play.backup.engines.postgres.dump.record import MAINTENANCE, DumpCounter, DumpRecord, joined
from dce_play.backup.engines.postgres.programs import LONG_S, judge
from dce_play.backup.engines.postgres.server import Server
from dce_play.backup.errors import BackupError, ErrorId
from dce_play.backup.protocols import OpenBackup
from dce_play.backup.streams import SourceFile, chunks
from dce_play.system.process.executor import Command, NoSuchProgram
from dce_play.system.process.streaming import StreamedProgram

FIRST_DATABASE = "postgres"
"""Where a load connects first: it is in every cluster, and no dump creates it."""


class _Loader:
    """A running psql or pg_restore that takes what is written into it."""

    def __init__(self, server: Server, command: Command, program: StreamedProgram) -> None:
        self._server = server
        self._command = command
        self._program = program
        self._reads_on = True

    def write(self, data: bytes) -> None:
        """Hand bytes over.

        Raises: BackupError, once the program has given up.
        """
        try:
            self._program.write(data)
        except BrokenPipeError:
            self._reads_on = False
            self.finish()

    def finish(self) -> None:
        """Raise what the program's exit code says.

        Raises: BackupError.
        """
        judge(self._server, self._command, self._program.finish())
        if not self._reads_on:
            raise BackupError(ErrorId.ENGINE_FAILED, f"{self._command.argv[0]} stopped reading before the dump's end")


@contextmanager
def _loader(server: Server, command: Command) -> Iterator[_Loader]:
    nowhere = os.open(os.devnull, os.O_WRONLY)
    try:
        with server.services.streams.open(command, stdin=True, stdout_fd=nowhere) as program:
            yield _Loader(server, command, program)
    except NoSuchProgram as error:
        raise BackupError(ErrorId.NO_TOOL, str(error), hint=error.hint) from error
    finally:
        os.close(nowhere)


def load(server: Server, backup: OpenBackup, edits: Edits) -> DumpRecord:
    """Load the whole dump; stop at the first statement that fails. Return what the dump held.

    Raises: BackupError.
    """
    return _load_custom(server, backup, edits) if backup.manifest.format == CUSTOM else _load_sql(server, backup, edits)


def _psql(server: Server) -> Command:
    words = ("-X", "-q", "-v", "ON_ERROR_STOP=1", "-f", "-")
    return server.command("psql", *words, database=FIRST_DATABASE, timeout_s=LONG_S)


def _edited(counter: DumpCounter, chunk: bytes, edits: Edits) -> bytes:
    return b"".join([edits.apply(piece) for piece in counter.feed(chunk)])


def _load_sql(server: Server, backup: OpenBackup, edits: Edits) -> DumpRecord:
    counter = DumpCounter()
    with backup.plain() as source, _loader(server, _psql(server)) as loader:
        for chunk in chunks(source):
            loader.write(_edited(counter, chunk, edits))
        loader.write(counter.rest())
        loader.finish()
    return counter.finish()


def _load_custom(server: Server, backup: OpenBackup, edits: Edits) -> DumpRecord:
    records: list[DumpRecord] = []
    names: dict[str, str] = {}
    with backup.plain() as source:
        for member, data in ArchiveReader(SourceFile(source)).members():
            if member == LIST:
                names = member_names(read_json(data))
            elif member == GLOBALS:
                records.append(_load_globals(server, data, edits))
            elif member == COUNTS:
                read_json(data)
            else:
                records.append(_load_database(server, database_of(member, names), data))
        source.finish()
    return joined(records)


def _load_globals(server: Server, data: Iterator[bytes], edits: Edits) -> DumpRecord:
    counter = DumpCounter()
    with _loader(server, _psql(server)) as loader:
        for chunk in data:
            loader.write(_edited(counter, chunk, edits))
        loader.write(counter.rest())
        loader.finish()
    return counter.finish()


def _load_database(server: Server, database: str, data: Iterator[bytes]) -> DumpRecord:
    is_there = database in MAINTENANCE
    create, into = ((), database) if is_there else (("--create",), FIRST_DATABASE)
    command = server.command("pg_restore", "--exit-on-error", *create, database=into, timeout_s=LONG_S)
    with listing(server.tools, server.services, database=database) as counted, _loader(server, command) as loader:
        for chunk in data:
            counted.write(chunk)
            loader.write(chunk)
        loader.finish()
        return counted.finish()
