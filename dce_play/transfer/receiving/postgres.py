"""The index, the tokens and the state of uploads in PostgreSQL, for receivers that share a bucket.

Source: PostgreSQL's manual, "Advisory Locks": they end with their connection, so a receiver that dies frees its ids.
"""

import queue
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, ClassVar, TypeVar

import msgspec

from dce_play.errors import DcePlayError, ExitCode
from dce_play.transfer.receiving.tokens import NoSuchToken, TokenRecord
from dce_play.transfer.wire import IndexRow, Receipt

T = TypeVar("T")

TOKENS_AGE_S = 2.0
ROWS_AGE_S = 2.0
"""How late the tally and the quotas of one receiver may see what others stored."""
_LOOK_BACK_ROWS = 1000
"""How far below the newest number a row that was committed late is still found."""
_SCHEMA_LOCK = 0x6463655F
_CONNECT_S = 10
_SCHEMA = """
CREATE TABLE IF NOT EXISTS episodes (
    seq bigserial UNIQUE, id text PRIMARY KEY, host_id text, size bigint NOT NULL, sha256 text NOT NULL,
    manifest_digest text NOT NULL, "commit" text, files bigint NOT NULL, bytes bigint NOT NULL,
    stored_at text NOT NULL, source text NOT NULL, receiver text NOT NULL);
CREATE TABLE IF NOT EXISTS uploads (
    upload text PRIMARY KEY, state text NOT NULL, s3_upload text NOT NULL, parts text NOT NULL,
    touched timestamptz NOT NULL DEFAULT now());
CREATE TABLE IF NOT EXISTS tokens (
    token_id text PRIMARY KEY, host_id text NOT NULL, role text NOT NULL, sha256 text NOT NULL,
    created_at text NOT NULL, expires_at text);
"""
_FIELDS = ("id", "host_id", "size", "sha256", "manifest_digest", "commit", "files", "bytes", "stored_at")
_COLUMNS = ", ".join(f'"{name}"' for name in _FIELDS)


class PostgresMissing(DcePlayError):
    """The PostgreSQL client is an extra that is not installed."""

    exit_code: ClassVar[ExitCode] = ExitCode.PREFLIGHT

    def __init__(self) -> None:
        super().__init__("index postgres needs the package psycopg", hint="run: pip install 'dce-play[postgres]'")


class DatabaseFailed(DcePlayError):
    """PostgreSQL did not do what was asked. The text never has the DSN."""

    exit_code: ClassVar[ExitCode] = ExitCode.PREFLIGHT

    def __init__(self, reason: str) -> None:
        super().__init__(f"postgres: {reason}", hint="is it up, and is [index].dsn right?")


class Database:
    """Connections to one database, shared by threads: each is one thread's for the length of a block."""

    def __init__(self, dsn: str) -> None:
        try:
            import psycopg  # 100 ms, and only receivers with this index need it
        except ImportError as error:
            raise PostgresMissing from error
        self._psycopg = psycopg
        self._dsn = dsn
        self._idle: queue.LifoQueue[Any] = queue.LifoQueue()

    def create_tables(self) -> None:
        """Make the tables that are not there."""
        with self.connection() as connection, connection.transaction():
            connection.execute("SELECT pg_advisory_xact_lock(%s)", (_SCHEMA_LOCK,))
            connection.execute(_SCHEMA)

    @contextmanager
    def connection(self) -> Iterator[Any]:
        """Give a connection, which commits each statement unless a transaction is begun.

        Raises: DatabaseFailed.
        """
        try:
            connection = self._take()
            try:
                yield connection
            except BaseException:
                connection.close()
                raise
            self._idle.put(connection)
        except self._psycopg.Error as error:
            raise DatabaseFailed(_first_line(error)) from error

    def take(self) -> Any:
        """Return a connection for as long as the caller likes; ``give_back`` or close it.

        Raises: DatabaseFailed.
        """
        try:
            return self._take()
        except self._psycopg.Error as error:
            raise DatabaseFailed(_first_line(error)) from error

    def give_back(self, connection: Any) -> None:
        """Let others use a connection."""
        self._idle.put(connection)

    def close(self) -> None:
        """Close what is idle."""
        while not self._idle.empty():
            self._idle.get_nowait().close()

    def _take(self) -> Any:
        while True:
            try:
                connection = self._idle.get_nowait()
            except queue.Empty:
                return self._psycopg.connect(self._dsn, autocommit=True, connect_timeout=_CONNECT_S)
            try:
                connection.execute("SELECT 1")
            except self._psycopg.Error:  # it was idle while the server went away
                connection.close()
            else:
                return connection


class PostgresClaim:
    """An advisory lock on an id, held by a connection of its own."""

    def __init__(self, database: Database, connection: Any, episode_id: str) -> None:
        self._database = database
        self._connection = connection
        self._episode_id = episode_id

    def release(self) -> None:
        """Give the id back; a connection that cannot say so is closed, which says it too."""
        try:
            self._connection.execute("SELECT pg_advisory_unlock(hashtextextended(%s, 0))", (self._episode_id,))
        except Exception:  # noqa: BLE001 - whatever is wrong with the connection, closing it frees the lock
            self._connection.close()
        else:
            self._database.give_back(self._connection)


def claim_id(database: Database, episode_id: str) -> PostgresClaim | None:
    """Return the claim on an id, or ``None`` while another request anywhere has it."""
    connection = database.take()
    try:
        ask = "SELECT pg_try_advisory_lock(hashtextextended(%s, 0))"
        got = connection.execute(ask, (episode_id,)).fetchone()[0]
    except BaseException:
        connection.close()
        raise
    if got:
        return PostgresClaim(database, connection, episode_id)
    database.give_back(connection)
    return None


class EpisodeTable:
    """The table ``episodes``. Each row is told to ``on_row`` once, whoever wrote it."""

    def __init__(self, database: Database, on_row: Callable[[IndexRow], None]) -> None:
        self._database = database
        self._on_row = on_row
        self._mutex = threading.Lock()
        self._asked_at = float("-inf")
        self._asked_to = 0
        """The highest number of a row that the database was asked for."""
        self._gaps: set[int] = set()
        """Numbers below it that no row had then: a row may be committed after one of a higher number."""
        self._ahead: set[int] = set()
        """Numbers of our own rows above it, which were told when we wrote them."""

    def find(self, episode_id: str) -> Receipt | None:
        """Return the receipt that a row holds."""
        with self._database.connection() as connection:
            ask = f"SELECT {_COLUMNS}, receiver FROM episodes WHERE id = %s"  # noqa: S608 - our own columns
            row = connection.execute(ask, (episode_id,)).fetchone()
        return None if row is None else Receipt(v=1, **_facts(row), receiver=row[-1])

    def rows(self) -> Iterator[IndexRow]:
        """Return all rows, in the order in which they came."""
        with self._database.connection() as connection, connection.transaction():
            cursor = connection.cursor(name="rows")
            cursor.execute(f"SELECT {_COLUMNS}, source FROM episodes ORDER BY seq")  # noqa: S608 - our own columns
            for row in cursor:
                yield IndexRow(v=1, **_facts(row), source=row[-1])

    def ids(self) -> set[str]:
        """Return the ids of all rows."""
        with self._database.connection() as connection:
            return {row[0] for row in connection.execute("SELECT id FROM episodes")}

    def count(self) -> int:
        """Return how many rows there are."""
        with self._database.connection() as connection:
            found: int = connection.execute("SELECT count(*) FROM episodes").fetchone()[0]
            return found

    def write(self, connection: Any, receipt: Receipt, *, source: str, replace: bool) -> int | None:
        """Write a row; return its number if it was written. Inside a transaction others wait for its end."""
        values = [getattr(receipt, name) for name in _FIELDS]
        values = [None if value is msgspec.UNSET else value for value in values]
        changes = ", ".join(f'"{name}" = EXCLUDED."{name}"' for name in (*_FIELDS[1:], "source", "receiver"))
        marks = ", ".join(["%s"] * (len(values) + 2))
        clash = f"DO UPDATE SET {changes}" if replace else "DO NOTHING"
        columns = f"{_COLUMNS}, source, receiver"
        order = f"INSERT INTO episodes ({columns}) VALUES ({marks}) ON CONFLICT (id) {clash} RETURNING seq"  # noqa: S608 - our own columns
        written = connection.execute(order, (*values, source, receipt.receiver)).fetchone()
        return None if written is None else int(written[0])

    def tell(self, number: int, row: IndexRow) -> None:
        """Tell of a row of our own, once it is committed; from time to time of other receivers' rows too."""
        with self._mutex:
            if number in self._gaps or (number > self._asked_to and number not in self._ahead):
                self._gaps.discard(number)
                if number > self._asked_to:
                    self._ahead.add(number)
                self._on_row(row)
            if time.monotonic() - self._asked_at > ROWS_AGE_S:
                self._tell_new()

    def tell_new(self) -> None:
        """Tell of every row that was not told yet, those of other receivers too."""
        with self._mutex:
            self._tell_new()

    def _tell_new(self) -> None:
        with self._database.connection() as connection:
            where = "seq > %s OR seq = ANY(%s::bigint[]) ORDER BY seq"
            ask = f"SELECT {_COLUMNS}, source, seq FROM episodes WHERE {where}"  # noqa: S608 - our own columns
            found = connection.execute(ask, (self._asked_to, sorted(self._gaps))).fetchall()
        for row in found:
            if row[-1] not in self._ahead:
                self._on_row(IndexRow(v=1, **_facts(row), source=row[-2]))
        numbers = {row[-1] for row in found}
        newest = max(numbers, default=self._asked_to)
        oldest = max(0, newest - _LOOK_BACK_ROWS)
        gaps = self._gaps.union(range(max(self._asked_to, oldest) + 1, newest)) - numbers
        self._gaps = {each for each in gaps if each > oldest}
        self._ahead = {each for each in self._ahead if each > newest}
        self._asked_to = max(self._asked_to, newest)
        self._asked_at = time.monotonic()


class PostgresTokens:
    """The table ``tokens``, asked at most every two seconds."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._database.create_tables()
        self._mutex = threading.Lock()
        self._asked_at = -TOKENS_AGE_S
        self._tokens: tuple[TokenRecord, ...] = ()

    def all(self) -> tuple[TokenRecord, ...]:
        with self._mutex:
            if time.monotonic() - self._asked_at >= TOKENS_AGE_S:
                names = TokenRecord.__struct_fields__
                with self._database.connection() as connection:
                    rows = connection.execute(f"SELECT {', '.join(names)} FROM tokens ORDER BY created_at, token_id")  # noqa: S608 - our own columns
                    self._tokens = tuple(TokenRecord(**dict(zip(names, row, strict=True))) for row in rows)
                self._asked_at = time.monotonic()
            return self._tokens

    def add(self, record: TokenRecord) -> None:
        names = TokenRecord.__struct_fields__
        values = tuple(getattr(record, name) for name in names)
        with self._database.connection() as connection:
            marks = ", ".join(["%s"] * len(names))
            connection.execute(f"INSERT INTO tokens ({', '.join(names)}) VALUES ({marks})", values)  # noqa: S608 - our own columns

    def revoke(self, token_id: str) -> None:
        with self._database.connection() as connection:
            revoked = connection.execute("DELETE FROM tokens WHERE token_id = %s", (token_id,)).rowcount
        if not revoked:
            raise NoSuchToken(token_id, (each.token_id for each in self.all()))


def _facts(row: tuple[Any, ...]) -> dict[str, Any]:
    facts = dict(zip(_FIELDS, row, strict=False))
    if facts["commit"] is None:
        facts["commit"] = msgspec.UNSET
    return facts


def _first_line(error: Exception) -> str:
    lines = str(error).strip().splitlines()
    return lines[0] if lines else type(error).__name__
