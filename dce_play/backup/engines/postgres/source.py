"""A cluster opened for one backup: dumped whole as SQL, with every database that should be there found in the dump."""

from collections.abc import Callable, Iterable

from dce_play.backup.engines.postgres.dump.names import connection_string, quoted
from dce_play.backup.engines.postgres.dump.record import DumpCounter, DumpRecord
from dce_play.backup.engines.postgres.programs import LONG_S, stream_out
from dce_play.backup.engines.postgres.server import Server, ServerFacts
from dce_play.backup.engines.postgres.sql_check import SqlCheck
from dce_play.backup.errors import BackupError, ErrorId, WarningId
from dce_play.backup.facts import Consistency, EngineFacts, Produced, Warned
from dce_play.backup.streams import Sink
from dce_play.source import JsonValue
from dce_play.system.process.executor import Command

FORMAT = "sql"


class ClusterSource:
    """What is known of one server before its dump begins: all that the two formats of a dump share."""

    def __init__(self, server: Server, facts: ServerFacts) -> None:
        self._server = server
        self._facts = facts

    def estimate_bytes(self) -> int:
        """Return the size of the databases: text takes more room than the rows, but has no indexes; packed has less."""
        return sum(each.bytes for each in self._facts.databases if each.name not in self._server.keys.skip_databases)

    def dumped(self, command: Command, write: Callable[[bytes], object], *, what: str) -> DumpRecord:
        """Run ``pg_dumpall``, hand its text on, and return what it holds.

        Raises: BackupError (``truncated``, naming ``what``, for text without its end).
        """
        counter = DumpCounter()

        def take(chunk: bytes) -> None:
            write(chunk)
            counter.feed(chunk)

        stream_out(self._server, command, take)
        record = counter.finish()
        if record.flaw:
            raise BackupError(ErrorId.TRUNCATED, f"pg_dumpall said all is well, but {what} not whole: {record.flaw}")
        return record


class SqlSource(ClusterSource):
    """``pg_dumpall`` of one server. An ``EngineSource``."""

    extension = "sql"
    is_compressible = True

    def check(self) -> Sink:
        return SqlCheck()

    def produce(self, out: Sink, /, *, quiesced: bool) -> Produced:  # noqa: ARG002 - a dump is its own snapshot
        """Write the dump. See ``EngineSource.produce``."""
        server = self._server
        refuse_unconnectable(server, self._facts)
        command = dumpall(server, self._facts)
        record = self.dumped(command, out.write, what="its dump is")
        compare_databases(server, self._facts, record.databases)
        return produced(server, self._facts, command, format_name=FORMAT, counts=counts_of(server, self._facts, record))


def dumpall(server: Server, facts: ServerFacts, *, globals_only: bool = False) -> Command:
    """Return the command that dumps the cluster, or its globals, without the databases that the definition skips."""
    keys = server.keys
    words = [f"--lock-wait-timeout={round(keys.lock_wait * 1000)}", "-l", connection_string(keys.database)]
    if globals_only:
        words += ["--globals-only"]
    else:
        words += [f"--exclude-database={quoted(name)}" for name in skipped(server, facts)]
    words += [] if keys.role_passwords else ["--no-role-passwords"]
    return server.command("pg_dumpall", *words, timeout_s=LONG_S)


def skipped(server: Server, facts: ServerFacts) -> list[str]:
    """Return the databases that are there and that the definition leaves out."""
    return [each.name for each in facts.databases if each.name in server.keys.skip_databases]


def refuse_unconnectable(server: Server, facts: ServerFacts) -> None:
    """Refuse at once what the dump program would leave out in silence.

    Raises: BackupError (``incomplete``).
    """
    closed = [each.name for each in facts.databases if not each.connectable]
    _refuse_missing(
        server, [name for name in closed if name not in server.keys.skip_databases], "allows no connections"
    )


def compare_databases(server: Server, facts: ServerFacts, dumped: Iterable[str]) -> None:
    """Compare the databases in a dump with those that the server had before it and still has.

    Raises: BackupError (``incomplete``).
    """
    present = set(dumped) | set(server.keys.skip_databases)
    missing = [each.name for each in facts.databases if each.name not in present]
    if missing:
        still = {each.name for each in server.facts().databases}
        _refuse_missing(server, [name for name in missing if name in still], "is not in the dump")


def _refuse_missing(server: Server, names: list[str], why: str) -> None:
    if names:
        listed = ", ".join(repr(name) for name in names)
        raise BackupError(
            ErrorId.INCOMPLETE,
            f"{server.where}: database {listed} {why}",
            hint="ALTER DATABASE … ALLOW_CONNECTIONS true, or name it in postgres.skip_databases",
        )


def counts_of(server: Server, facts: ServerFacts, record: DumpRecord) -> dict[str, JsonValue]:
    """Return the manifest's counts."""
    return {**record.counts(), "skipped": [*skipped(server, facts)]}


def produced(
    server: Server, facts: ServerFacts, command: Command, *, format_name: str, counts: dict[str, JsonValue]
) -> Produced:
    """Return what a dump is, for the manifest."""
    tool, its = server.tools.version, facts.parsed
    warnings: tuple[Warned, ...] = ()
    if tool.major == its.major and tool.minor < its.minor:
        message = f"the server is PostgreSQL {its}, the programs are {tool}"
        warnings = (Warned(id=WarningId.CLIENT_OLDER, message=message),)
    return Produced(
        engine=EngineFacts(
            name="postgres", server_version=facts.version, tool="pg_dumpall", tool_version=str(server.tools.version)
        ),
        source=server.source_facts(),
        format=format_name,
        consistency=Consistency.LOGICAL,
        counts=counts,
        command=command.argv,
        warnings=warnings,
    )
