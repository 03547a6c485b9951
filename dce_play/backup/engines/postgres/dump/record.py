"""What a dump holds, counted while it streams by: databases, roles, and the rows of each table.

The rows are the lines between ``COPY … FROM stdin;`` and ``\\.``, so they belong to the dump's own snapshot and not to
a moment before or after it.
"""

from collections.abc import Sequence

import msgspec

from dce_play.backup.engines.postgres.dump.names import connected, created, text
from dce_play.backup.engines.postgres.dump.pieces import DumpPieces, Kind, Piece
from dce_play.source import JsonValue
from dce_play.system.counted import counted

_CLUSTER_END = b"-- PostgreSQL database cluster dump complete"
_DATABASE_BEGINS = b"-- PostgreSQL database dump\n"
_DATABASE_END = b"-- PostgreSQL database dump complete\n"
_SETTINGS = (b"SET ", b"SELECT pg_catalog.set_config(")
MAINTENANCE = frozenset({"postgres", "template1"})
"""Databases that every cluster has, and that a dump therefore does not create."""


class TableRows(msgspec.Struct, frozen=True, kw_only=True):
    """One table's rows. ``table`` is the qualified identifier as the dump spells it, ready for a query."""

    database: str
    table: str
    rows: int


class DumpRecord(msgspec.Struct, frozen=True, kw_only=True):
    """What a dump holds. ``flaw`` says in words why it is no whole dump; empty when it is one."""

    databases: tuple[str, ...]
    """Every database with a ``\\connect`` of its own, also postgres and template1."""
    roles: tuple[str, ...]
    tables: tuple[TableRows, ...]
    own_objects: tuple[str, ...]
    """Those of postgres and template1 for which the dump has more than settings."""
    flaw: str

    @property
    def rows(self) -> int:
        """All rows of all tables."""
        return sum(table.rows for table in self.tables)

    def counts(self) -> dict[str, JsonValue]:
        """Return the numbers of a manifest's ``counts``."""
        numbers = {"databases": self.databases, "roles": self.roles, "tables": self.tables}
        return {**{what: len(each) for what, each in numbers.items()}, "rows": self.rows}


def joined(records: Sequence[DumpRecord]) -> DumpRecord:
    """Return one record of several dumps: of the globals, and of each database."""
    return DumpRecord(
        databases=tuple(name for record in records for name in record.databases),
        roles=tuple(role for record in records for role in record.roles),
        tables=tuple(table for record in records for table in record.tables),
        own_objects=tuple(name for record in records for name in record.own_objects),
        flaw=next((record.flaw for record in records if record.flaw), ""),
    )


class DumpCounter:
    """Folds a dump that comes in chunks. Keeps a number for each table, and nothing of the rows.

    ``database`` is given where the stream is one database's script without a ``\\connect``, as ``pg_restore`` writes.
    """

    def __init__(self, *, database: str | None = None) -> None:
        self._pieces = DumpPieces()
        self._single = database is not None
        self._databases: dict[str, None] = {} if database is None else {database: None}
        self._current = database or ""
        self._within = database or ""
        self._roles: list[str] = []
        self._tables: dict[tuple[str, bytes], int] = {}
        self._table: tuple[str, bytes] | None = None
        self._own: set[str] = set()
        self._begun = self._ended = 0
        self._complete = False

    def feed(self, chunk: bytes) -> list[Piece]:
        """Take the next bytes of the dump; return the pieces that are whole with them, for who copies the dump."""
        pieces = list(self._pieces.feed(chunk))
        for piece in pieces:
            self._take(piece)
        return pieces

    def rest(self) -> bytes:
        """Return what follows the last whole piece."""
        return self._pieces.close()

    def _take(self, piece: Piece) -> None:
        match piece.kind:
            case Kind.ROWS:
                if self._table is not None:
                    self._tables[self._table] += piece.data.count(b"\n")
            case Kind.STATEMENT | Kind.MORE:
                self._complete = False
                self._statement(piece)
            case Kind.META:
                if not piece.data.startswith(b"\\unrestrict"):
                    self._complete = False
                if (name := connected(piece.data)) is not None:
                    self._current = self._within = name
                    self._databases[name] = None
            case Kind.COMMENT:
                self._comment(piece.data)
            case Kind.ROWS_END | Kind.SPACE:
                pass

    def _statement(self, piece: Piece) -> None:
        if piece.table is not None:
            self._table = (self._current, piece.table)
            self._tables.setdefault(self._table, 0)
        if (role := created("ROLE", piece.data)) is not None:
            self._roles.append(role)
        if self._within in MAINTENANCE and not piece.data.startswith(_SETTINGS):
            self._own.add(self._within)

    def _comment(self, line: bytes) -> None:
        if line.startswith(_CLUSTER_END):
            self._complete = True
        elif line == _DATABASE_BEGINS:
            self._begun += 1
        elif line == _DATABASE_END:
            self._ended += 1
            self._within = ""  # the next database is created from here, and that is not ours

    def finish(self) -> DumpRecord:
        """Return what the dump held, and what is wrong with it."""
        if self.rest().startswith(_CLUSTER_END):
            self._complete = True
        return DumpRecord(
            databases=tuple(self._databases),
            roles=tuple(self._roles),
            tables=tuple(
                TableRows(database=database, table=text(table), rows=rows)
                for (database, table), rows in self._tables.items()
            ),
            own_objects=tuple(sorted(self._own)),
            flaw=self._flaw(),
        )

    def _flaw(self) -> str:
        if self._pieces.unfinished:
            return f"it ends in the middle of {'database ' + self._current if self._current else 'the roles'}"
        if self._begun != self._ended:
            return f"it has the beginning of {counted(self._begun, 'database')} and the end of {self._ended}"
        if not self._complete and not self._single:
            return "it lacks the end mark of a whole dump"
        if self._single and not self._ended:
            return "it lacks the end mark of a database"
        return ""
