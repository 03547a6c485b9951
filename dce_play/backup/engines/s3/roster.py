"""What was seen of a bucket: a table on disk, as millions of objects fit into no memory.

Keys stand in it as hashes under a secret of this process, so that nothing of an encrypted backup lies about.
"""

import hashlib
import secrets
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

_DIGEST_BYTES = 16
_FILE, _FOLDER = 1, 2


class Roster:
    """Objects by key and version, and which names in the tar are taken."""

    def __init__(self, database: sqlite3.Connection) -> None:
        self._database = database
        self._secret = secrets.token_bytes(32)
        self._known_folder = ""
        database.executescript(
            "PRAGMA journal_mode=OFF; PRAGMA synchronous=OFF; PRAGMA cache_size=-4096; PRAGMA temp_store=FILE;"
            "CREATE TABLE objects (id BLOB PRIMARY KEY, print BLOB, line INTEGER, length INTEGER, size INTEGER,"
            " current INTEGER, round INTEGER) WITHOUT ROWID;"
            "CREATE TABLE names (id BLOB PRIMARY KEY, kind INTEGER) WITHOUT ROWID;"
        )

    def is_unchanged(self, key: str, version_id: str, fingerprint: str, *, round_number: int) -> bool:
        """Return whether the object is held as it is now, and note that this round's listing has it."""
        identity = self._hash(key, version_id)
        row = self._database.execute("SELECT print FROM objects WHERE id = ?", (identity,)).fetchone()
        if row is None:
            return False
        self._database.execute("UPDATE objects SET round = ? WHERE id = ?", (round_number, identity))
        return bool(row[0] == self._hash(fingerprint))

    def hold(
        self,
        key: str,
        version_id: str,
        fingerprint: str,
        *,
        line: int,
        length: int,
        size: int,
        current: bool,
        seen: int,
    ) -> None:
        """Note an object that was archived; ``line`` is the number of its line in the index, which now counts."""
        values = (self._hash(key, version_id), self._hash(fingerprint), line, length, size, int(current), seen)
        self._database.execute("INSERT OR REPLACE INTO objects VALUES (?, ?, ?, ?, ?, ?, ?)", values)

    def forget_missing(self, *, round_number: int) -> int:
        """Forget the objects that this round's listing did not have; return how many."""
        return self._database.execute("DELETE FROM objects WHERE round < ?", (round_number,)).rowcount

    def forget(self, key: str, version_id: str) -> None:
        """Forget an object that is gone."""
        self._database.execute("DELETE FROM objects WHERE id = ?", (self._hash(key, version_id),))

    def is_line_of(self, key: str, version_id: str, line: int) -> bool:
        """Return whether this line of the index is the one that counts for its object."""
        row = self._database.execute("SELECT line FROM objects WHERE id = ?", (self._hash(key, version_id),)).fetchone()
        return row is not None and row[0] == line

    def totals(self) -> tuple[int, int, int, int]:
        """Return the objects, the versions beside them, their bytes together, and the bytes of the index's lines."""
        row = self._database.execute(
            "SELECT coalesce(sum(current), 0), coalesce(sum(1 - current), 0), coalesce(sum(size), 0),"
            " coalesce(sum(length), 0) FROM objects"
        ).fetchone()
        return row[0], row[1], row[2], row[3]

    def take_name(self, name: str, folders: list[str]) -> bool:
        """Take a name in the tar for an object, unless it is a folder of another or lies below one."""
        if self._kind(name) == _FOLDER or any(self._kind(folder) == _FILE for folder in folders):
            return False
        self._name(name, _FILE)
        if folders and folders[-1] != self._known_folder:
            for folder in folders:
                self._name(folder, _FOLDER)
            self._known_folder = folders[-1]
        return True

    def _kind(self, name: str) -> int:
        row = self._database.execute("SELECT kind FROM names WHERE id = ?", (self._hash(name),)).fetchone()
        return row[0] if row else 0

    def _name(self, name: str, kind: int) -> None:
        self._database.execute("INSERT OR IGNORE INTO names VALUES (?, ?)", (self._hash(name), kind))

    def _hash(self, *texts: str) -> bytes:
        data = "\0".join(texts).encode("utf-8", "surrogateescape")
        return hashlib.blake2b(data, key=self._secret, digest_size=_DIGEST_BYTES).digest()


@contextmanager
def open_roster(folder: Path) -> Iterator[Roster]:
    """Give a new roster whose table lies in the folder."""
    database = sqlite3.connect(folder / "roster", isolation_level=None, check_same_thread=False)
    try:
        roster = Roster(database)
        database.execute("BEGIN")
        yield roster
    finally:
        database.close()
