"""An RDB pushed through ``redis-check-rdb`` while it streams by: nothing of it is kept, and its keys are counted.

The tool reads a pipe (``/dev/stdin``) and tells where the RDB ends, so bytes behind its end are found too.
"""

import threading
from collections.abc import Iterator
from contextlib import contextmanager

import msgspec

from dce_play.backup.engines.redis.rdb_check import RdbVerdict, read_verdict
from dce_play.backup.engines.redis.rdb_stream import RdbHeaders
from dce_play.backup.errors import BackupError, ErrorId
from dce_play.backup.protocols import Container, Services
from dce_play.source import JsonValue
from dce_play.system.process.executor import Command, NoSuchProgram
from dce_play.system.process.streaming import StreamedProgram

_LONG_S = 7 * 24 * 3600.0
_END_S = 5.0


class RdbContents(msgspec.Struct, frozen=True, kw_only=True):
    """What an RDB holds. ``databases`` is ``None`` where its headers do not tell the keys of each."""

    keys: int
    databases: dict[str, int] | None
    expired: int
    """Keys whose time is up by now."""
    version: str
    """Of the server that wrote it."""

    def counts(self) -> dict[str, JsonValue]:
        """Return the manifest's counts."""
        known: dict[str, JsonValue] = {} if self.databases is None else {"databases": {**self.databases}}
        return {"keys": self.keys, **known}


class RdbProbe:
    """A running ``redis-check-rdb``."""

    def __init__(self, program: StreamedProgram) -> None:
        self._program = program
        self._headers = RdbHeaders()
        self._written = 0
        self._reads_on = True
        self._output: list[bytes] = []
        self._reader = threading.Thread(target=self._read, name="redis-check-rdb", daemon=True)
        self._reader.start()

    def write(self, data: bytes) -> None:
        """Hand the next bytes over; once the tool reads no more, what it said tells why."""
        self._written += len(data)
        self._headers.feed(data)
        if self._reads_on:
            try:
                self._program.write(data)
            except BrokenPipeError:
                self._reads_on = False

    def finish(self) -> RdbContents:
        """Return what the RDB holds.

        Raises: BackupError: ``truncated``, ``verify-failed``, ``version`` for an RDB newer than the tool.
        """
        self._program.close_stdin()
        self._reader.join()
        finished = self._program.finish()
        output = b"".join(self._output).decode(errors="replace")
        verdict = read_verdict(output, exit_code=finished.exit_code)
        if verdict.flaw:
            raise _flawed(verdict, output or finished.stderr)
        if verdict.ended_at != self._written:
            raise BackupError(
                ErrorId.TRUNCATED, f"the RDB ends at byte {verdict.ended_at}, the stream at byte {self._written}"
            )
        headers = self._headers.at(verdict.databases)
        if headers is None or sum(each.keys for each in headers) != verdict.keys:
            databases = None
        else:
            databases = {str(each.database): each.keys for each in headers}
        return RdbContents(keys=verdict.keys, databases=databases, expired=verdict.expired, version=verdict.version)

    def let_go(self) -> None:
        """Have the tool come to its end, so that nothing reads from it any more when it is closed."""
        self._program.close_stdin()
        self._reader.join(timeout=_END_S)

    def _read(self) -> None:
        while data := self._program.read():
            self._output.append(data)


def _flawed(verdict: RdbVerdict, output: str) -> BackupError:
    if "Can't handle RDB format version" in output:
        return BackupError(
            ErrorId.VERSION, "redis-check-rdb is older than the RDB", hint="install redis-tools of the server's version"
        )
    cut = "Unexpected EOF" in output or not verdict.ended_at
    return BackupError(ErrorId.TRUNCATED if cut else ErrorId.VERIFY_FAILED, f"the RDB is damaged: {verdict.flaw}")


@contextmanager
def rdb_probe(services: Services, container: Container | None = None) -> Iterator[RdbProbe]:
    """Run the tool, here or in a container, while the block runs.

    Raises: BackupError (``no-tool``).
    """
    argv: tuple[str, ...] = ("redis-check-rdb", "/dev/stdin")
    if container is not None:
        argv = container.exec_argv(*argv)
    try:
        with services.streams.open(Command(argv=argv, timeout_s=_LONG_S), stdin=True) as program:
            probe = RdbProbe(program)
            try:
                yield probe
            finally:
                probe.let_go()
    except NoSuchProgram as error:
        raise BackupError(ErrorId.NO_TOOL, str(error), hint="install redis-tools (Debian), or redis") from error
