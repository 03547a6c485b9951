"""Reading a bucket's tar: every member hashed, every line of the index held against its member.

Members are noted in a table on disk by their names' hashes: millions of objects are read in flat memory.
"""

import hashlib
import sqlite3
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

from dce_play.backup.engines.s3.index import IndexLine, Totals, lines
from dce_play.backup.engines.s3.names import INDEX, ROOT
from dce_play.backup.errors import BackupError, ErrorId
from dce_play.backup.tree.pax import Kind, Member, NotATar
from dce_play.backup.tree.tar import TarReader
from dce_play.source import JsonValue

_DIGEST_BYTES = 16


class MemberTable:
    """What each member holds: the last one of a name counts."""

    def __init__(self, database: sqlite3.Connection) -> None:
        self._database = database
        database.executescript(
            "PRAGMA journal_mode=OFF; PRAGMA synchronous=OFF; PRAGMA cache_size=-4096;"
            "CREATE TABLE members (name BLOB PRIMARY KEY, sha256 BLOB, size INTEGER, number INTEGER) WITHOUT ROWID;"
        )

    def note(self, name: str, sha256: bytes, size_bytes: int, number: int) -> None:
        """Note a member that was read; ``number`` is its place in the archive."""
        self._database.execute(
            "INSERT OR REPLACE INTO members VALUES (?, ?, ?, ?)", (_hash(name), sha256, size_bytes, number)
        )

    def find(self, name: str) -> tuple[str, int, int] | None:
        """Return the sha256, the size and the place of a member, or ``None`` where there is none."""
        row = self._database.execute(
            "SELECT sha256, size, number FROM members WHERE name = ?", (_hash(name),)
        ).fetchone()
        return None if row is None else (row[0].hex(), row[1], row[2])


def _hash(name: str) -> bytes:
    return hashlib.blake2b(name.encode("utf-8", "surrogateescape"), digest_size=_DIGEST_BYTES).digest()


@contextmanager
def open_table(folder: Path) -> Iterator[MemberTable]:
    """Give a new table that lies in the folder."""
    database = sqlite3.connect(folder / "members", isolation_level=None, check_same_thread=False)
    try:
        table = MemberTable(database)
        database.execute("BEGIN")
        yield table
    finally:
        database.close()


def name_of(member: Member) -> str:
    """Return an object's member below ``objects/``.

    Raises: BackupError (``verify-failed``), for a member that no bucket's archive has.
    """
    name = member.name.decode("utf-8", "surrogateescape")
    if member.kind is not Kind.FILE or not name.startswith(ROOT):
        raise BackupError(ErrorId.VERIFY_FAILED, f"the archive has a member that is no object: {name[:200]!r}")
    return name.removeprefix(ROOT)


def read_objects(
    stream: BinaryIO,
    table: MemberTable,
    *,
    on_line: Callable[[IndexLine, int], None] = lambda _line, _number: None,
) -> Totals:
    """Read an archive to its end and hold its index against its members; return what the index counts.

    ``on_line`` gets each line, found equal, and the place of its member.

    Raises: BackupError: ``truncated``, without an end or an index; ``incomplete``, for an object that is not there;
    ``verify-failed``.
    """
    totals: Totals | None = None
    reader = TarReader(stream.read)
    try:
        for number, member in enumerate(reader):
            if totals is not None:
                raise BackupError(ErrorId.VERIFY_FAILED, "the archive goes on behind its index")
            if member.name == INDEX.encode():
                totals = _compare(reader.chunks(), table, on_line)
                continue
            name = name_of(member)
            digest = hashlib.sha256()
            for data in reader.chunks():
                digest.update(data)
            table.note(name, digest.digest(), member.size_bytes, number)
    except NotATar as error:
        raise BackupError(ErrorId.TRUNCATED, f"the archive is damaged: {error}") from error
    if totals is None:
        raise BackupError(ErrorId.TRUNCATED, f"the archive has no {INDEX}")
    return totals


def _compare(chunks: Iterator[bytes], table: MemberTable, on_line: Callable[[IndexLine, int], None]) -> Totals:
    totals = Totals()
    for line in lines(chunks):
        found = table.find(line.member)
        if found is None:
            raise BackupError(ErrorId.INCOMPLETE, f"the archive lacks the object {line.key!r}")
        sha256, size, number = found
        if (sha256, size) != (line.sha256, line.size):
            raise BackupError(ErrorId.VERIFY_FAILED, f"the object {line.key!r} is not what the index says")
        totals.add(line)
        on_line(line, number)
    return totals


def compare_counts(totals: Totals, expected: Mapping[str, JsonValue]) -> None:
    """Compare what an index counts with what the manifest says.

    Raises: BackupError (``verify-failed``).
    """
    for key, found in totals.counts().items():
        if expected.get(key, found) != found:
            raise BackupError(
                ErrorId.VERIFY_FAILED, f"the archive holds {found} {key}, its manifest says {expected[key]}"
            )
