"""Rows per table as a running server has them now."""

import json
from collections.abc import Iterable, Mapping

import msgspec

from dce_play.backup.engines.postgres.dump.names import qualified
from dce_play.backup.engines.postgres.dump.record import DumpRecord
from dce_play.backup.engines.postgres.programs import LONG_S, judge
from dce_play.backup.engines.postgres.server import Server
from dce_play.backup.errors import BackupError, ErrorId
from dce_play.system.process.executor import NoSuchProgram

_COUNTING = r"""
SELECT pg_catalog.format(
  'SELECT pg_catalog.json_build_array(%L, %L, %L::boolean, (SELECT pg_catalog.count(*) FROM ONLY %I.%I))',
  n.nspname, c.relname, EXISTS (SELECT FROM pg_catalog.pg_depend d
    WHERE d.classid = 'pg_catalog.pg_class'::pg_catalog.regclass AND d.objid = c.oid AND d.deptype = 'e'),
  n.nspname, c.relname)
FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
WHERE c.relkind = 'r' AND n.nspname NOT IN ('pg_catalog', 'information_schema') AND n.nspname !~ '^pg_(toast|temp_)'
\gexec
"""


class Table(msgspec.Struct, frozen=True, kw_only=True):
    """A table of one database, by the names it has and not as a dump spells them."""

    database: str
    schema: str
    name: str

    def __str__(self) -> str:
        return f"{self.database}: {self.schema}.{self.name}"


class Counted(msgspec.Struct, frozen=True, kw_only=True):
    """The rows of tables. ``extension_tables`` are filled by their extension, so their rows prove nothing."""

    rows: Mapping[Table, int]
    extension_tables: frozenset[Table]


def count_rows(server: Server, databases: Iterable[str]) -> Counted:
    """Count all rows of all tables of these databases.

    Raises: BackupError.
    """
    rows: dict[Table, int] = {}
    of_extensions: set[Table] = set()
    for database in databases:
        for line in _script(server, database, _COUNTING).splitlines():
            schema, name, is_of_extension, count = json.loads(line)
            table = Table(database=database, schema=schema, name=name)
            rows[table] = count
            if is_of_extension:
                of_extensions.add(table)
    return Counted(rows=rows, extension_tables=frozenset(of_extensions))


def recorded_rows(record: DumpRecord) -> dict[Table, int]:
    """Return the rows of a dump by table."""
    found = {}
    for table in record.tables:
        schema, name = qualified(table.table)
        found[Table(database=table.database, schema=schema, name=name)] = table.rows
    return found


def _script(server: Server, database: str, script: str) -> str:
    words = ("-X", "-A", "-t", "-q", "-v", "ON_ERROR_STOP=1", "-f", "-")
    command = server.command("psql", *words, database=database, timeout_s=LONG_S)
    try:
        with server.services.streams.open(command, stdin=True) as program:
            program.write(script.encode())
            program.close_stdin()
            output = b"".join(iter(program.read, b""))
            finished = program.finish()
    except NoSuchProgram as error:
        raise BackupError(ErrorId.NO_TOOL, str(error), hint=error.hint) from error
    judge(server, command, finished)
    return output.decode("utf-8", "surrogateescape")
