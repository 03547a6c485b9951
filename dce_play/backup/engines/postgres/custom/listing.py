"""One database's dump in the custom format, read by ``pg_restore`` itself and counted.

``pg_restore -l`` accepts a dump that was cut, as it reads the table of contents alone. Only writing the whole dump out
as SQL reads every block, and what it writes is counted as any other dump.
"""

import threading
from collections.abc import Iterator
from contextlib import contextmanager

from dce_play.backup.engines.postgres.dump.record import DumpCounter, DumpRecord
from dce_play.backup.engines.postgres.programs import LONG_S
from dce_play.backup.engines.postgres.tools import Tools
from dce_play.backup.errors import BackupError, ErrorId
from dce_play.backup.protocols import Services
from dce_play.backup.streams import CHUNK_BYTES
from dce_play.system.process.executor import Command, NoSuchProgram
from dce_play.system.process.streaming import StreamedProgram


class Listing:
    """A running ``pg_restore``: dump in, SQL out, counted in a thread."""

    def __init__(self, program: StreamedProgram, *, database: str) -> None:
        self._program = program
        self._counter = DumpCounter(database=database)
        self._database = database
        self._failures: list[BaseException] = []
        self._reads_on = True
        self._reader = threading.Thread(target=self._read, name=f"pg_restore {database}", daemon=True)
        self._reader.start()

    def write(self, data: bytes) -> None:
        """Hand the next bytes of the dump over; once the program reads no more, its exit code tells why."""
        if self._reads_on:
            try:
                self._program.write(data)
            except BrokenPipeError:
                self._reads_on = False

    def finish(self) -> DumpRecord:
        """Return what the dump holds.

        Raises: BackupError: ``verify-failed``, ``truncated``, ``version``.
        """
        self._program.close_stdin()
        self._reader.join()
        finished = self._program.finish()
        if self._failures:
            raise self._failures[0]
        if finished.exit_code != 0:
            newer = "unsupported version" in finished.stderr
            raise BackupError(
                ErrorId.VERSION if newer else ErrorId.VERIFY_FAILED,
                f'pg_restore cannot read the dump of database "{self._database}": {finished.stderr.strip()}',
                hint="install newer client programs of PostgreSQL" if newer else "",
            )
        record = self._counter.finish()
        if record.flaw:
            raise BackupError(ErrorId.TRUNCATED, f'the dump of database "{self._database}" is not whole: {record.flaw}')
        return record

    def _read(self) -> None:
        try:
            while chunk := self._program.read(CHUNK_BYTES):
                self._counter.feed(chunk)
        except BaseException as error:  # noqa: BLE001 - it is raised where the listing is finished
            self._failures.append(error)


@contextmanager
def listing(tools: Tools, services: Services, *, database: str) -> Iterator[Listing]:
    """Run ``pg_restore`` on a dump that is written into it while the block runs.

    Raises: BackupError (``no-tool``).
    """
    command = Command(argv=tools.argv("pg_restore", "-f", "-"), timeout_s=LONG_S, env={"LC_ALL": "C"})
    try:
        with services.streams.open(command, stdin=True) as program:
            yield Listing(program, database=database)
    except NoSuchProgram as error:
        raise BackupError(ErrorId.NO_TOOL, str(error), hint=error.hint) from error
