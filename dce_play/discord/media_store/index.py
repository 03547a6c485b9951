"""What the ledger says, for quick asking: a SQLite file beside it that is made anew from it whenever it is not right.

It also has the queue: what was named and has no bytes yet, and how far each channel file was looked through.
"""

import sqlite3
import threading
from collections.abc import Iterable, Sequence
from contextlib import suppress
from pathlib import Path

from dce_play.discord.media_store.ledger import MediaLine, read_ledger
from dce_play.discord.media_store.policy import MediaKind, MediaReference, MediaState
from dce_play.discord.media_store.urls import unsigned

_SCHEMA = """
CREATE TABLE IF NOT EXISTS lines (url TEXT PRIMARY KEY, state TEXT, sha256 TEXT, size INTEGER) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS queue (
  url TEXT PRIMARY KEY, original TEXT, kind TEXT, name TEXT, message_id TEXT, channel_id TEXT, size INTEGER,
  run TEXT, etag TEXT
);
CREATE TABLE IF NOT EXISTS walked (
  path TEXT, mode TEXT, size INTEGER, mtime_ns INTEGER, last_id INTEGER, PRIMARY KEY (path, mode)
) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS facts (name TEXT PRIMARY KEY, value BLOB) WITHOUT ROWID;
PRAGMA user_version = 1;
"""
_TAIL_BYTES = 256
_BATCH = 10_000
_SETTLED = (MediaState.KEPT, MediaState.GONE, MediaState.TOO_LARGE, MediaState.EXCLUDED)


class MediaIndex:
    """The index of one target's ledger. Safe to use from several threads."""

    def __init__(self, path: Path, ledger: Path) -> None:
        """Open it and take in what the ledger has more. Raises: OSError, sqlite3.Error."""
        self._ledger = ledger
        self._path = path
        self._lock = threading.RLock()
        try:
            self._database = self._opened()
            self._catch_up()
        except sqlite3.DatabaseError as error:
            if isinstance(error, sqlite3.OperationalError):
                raise
            self._database.close()
            self._remove()
            self._database = self._opened()
            self._catch_up()

    def close(self) -> None:
        """Write what is pending, and close."""
        with self._lock:
            self._database.commit()
            self._database.close()

    def offer(self, references: Iterable[MediaReference]) -> int:
        """Queue what has no bytes yet and is not settled; return how many are new. A newer signature replaces."""
        added = 0
        with self._lock:
            for each in references:
                url = unsigned(each.url)
                state = self._state(url)
                if state in _SETTLED:
                    continue
                added += self._database.execute(
                    "INSERT INTO queue VALUES (?,?,?,?,?,?,?,'','') ON CONFLICT (url) DO UPDATE SET original ="
                    " excluded.original, size = COALESCE(queue.size, excluded.size)",
                    (url, each.url, each.kind.value, each.name, each.message_id, each.channel_id, each.size),
                ).rowcount
            self._database.commit()
        return added

    def take(self, run: str, count: int) -> list[MediaReference]:
        """Return queued references that this run has not taken yet, and mark them as taken."""
        with self._lock:
            rows = self._database.execute(
                "SELECT url, original, kind, name, message_id, channel_id, size FROM queue WHERE run <> ?"
                " ORDER BY rowid LIMIT ?",
                (run, count),
            ).fetchall()
            self._database.executemany("UPDATE queue SET run = ? WHERE url = ?", [(run, row[0]) for row in rows])
            self._database.commit()
        return [
            MediaReference(
                url=row[1],
                kind=MediaKind(row[2]),
                name=row[3],
                message_id=row[4],
                channel_id=row[5],
                size=row[6],
            )
            for row in rows
        ]

    def settle(self, lines: Sequence[MediaLine]) -> None:
        """Take in lines that were written; only what failed stays queued."""
        with self._lock:
            self._take_in(lines)
            self._note_end()
            self._database.commit()

    def state(self, url: str) -> str | None:
        """Return what the last line of a URL says."""
        with self._lock:
            return self._state(url)

    def etag(self, url: str, new: str | None = None) -> str:
        """Return the validator of what was fetched so far, after setting it where a new one is given."""
        with self._lock:
            if new is not None:
                self._database.execute("UPDATE queue SET etag = ? WHERE url = ?", (new, url))
                self._database.commit()
            row = self._database.execute("SELECT etag FROM queue WHERE url = ?", (url,)).fetchone()
        return str(row[0]) if row else ""

    def counts(self) -> dict[str, tuple[int, int]]:
        """Return for each state how many URLs there are and how many bytes they have."""
        with self._lock:
            rows = self._database.execute("SELECT state, COUNT(*), SUM(size) FROM lines GROUP BY state").fetchall()
        return {state: (count, size or 0) for state, count, size in rows}

    def queued(self) -> int:
        """Return how many URLs wait."""
        with self._lock:
            return int(self._database.execute("SELECT COUNT(*) FROM queue").fetchone()[0])

    def queued_urls(self) -> list[str]:
        """Return the URLs that wait."""
        with self._lock:
            return [str(row[0]) for row in self._database.execute("SELECT url FROM queue")]

    def boot(self, current: str) -> bool:
        """Remember under which boot of the machine it is used; return whether that is another than last time."""
        with self._lock:
            row = self._database.execute("SELECT value FROM facts WHERE name = 'boot'").fetchone()
            self._database.execute("REPLACE INTO facts VALUES ('boot', ?)", (current,))
            self._database.commit()
        return row is not None and row[0] != current

    def again(self, states: Sequence[MediaState]) -> int:
        """Queue what has one of these states; return how many there are. Reads the ledger."""
        wanted = {state.value for state in states}
        return self.requeue(line for line in self._last_lines() if line.state in wanted)

    def requeue(self, lines: Iterable[MediaLine]) -> int:
        """Queue these URLs though they are settled."""
        count = 0
        with self._lock:
            for line in lines:
                count += 1
                self._queue_line(line)
                self._database.execute("UPDATE lines SET state = 'failed' WHERE url = ?", (line.url,))
            self._database.commit()
        return count

    def walked(self, path: str, mode: str) -> tuple[int, int, int]:
        """Return a channel file's size, time and last id when it was looked through; zeros where it never was."""
        with self._lock:
            row = self._database.execute(
                "SELECT size, mtime_ns, last_id FROM walked WHERE path = ? AND mode = ?", (path, mode)
            ).fetchone()
        return row or (0, 0, 0)

    def remember_walk(self, path: str, mode: str, facts: tuple[int, int, int]) -> None:
        """Remember that all messages of a channel file up to this id are queued or settled."""
        with self._lock:
            self._database.execute("REPLACE INTO walked VALUES (?,?,?,?,?)", (path, mode, *facts))
            self._database.commit()

    def _last_lines(self) -> list[MediaLine]:
        """Return the last line of each URL that is not kept."""
        last: dict[str, MediaLine] = {}
        for each in read_ledger(self._ledger):
            if each.value is not None:
                last.pop(each.value.url, None)
                if each.value.state != MediaState.KEPT:
                    last[each.value.url] = each.value
        return list(last.values())

    def _state(self, url: str) -> str | None:
        row = self._database.execute("SELECT state FROM lines WHERE url = ?", (url,)).fetchone()
        return None if row is None else str(row[0])

    def _opened(self) -> sqlite3.Connection:
        database = self._database = sqlite3.connect(self._path, check_same_thread=False, timeout=30.0)
        database.execute("PRAGMA journal_mode = WAL")
        database.execute("PRAGMA synchronous = NORMAL")
        database.execute("PRAGMA cache_size = -8192")
        database.executescript(_SCHEMA)
        return database

    def _remove(self) -> None:
        for ending in ("", "-wal", "-shm"):
            with suppress(FileNotFoundError):
                self._path.with_name(self._path.name + ending).unlink()

    def _catch_up(self) -> None:
        """Take in the lines that the ledger has more; all of it anew where it is not the one that we knew."""
        start = self._covered()
        if start is None:
            self._database.executescript("DELETE FROM lines; DELETE FROM queue; DELETE FROM walked; DELETE FROM facts;")
            start = 0
        batch: list[MediaLine] = []
        end = start
        for line in read_ledger(self._ledger, start=start):
            end = line.end
            if line.value is not None:
                batch.append(line.value)
            if len(batch) == _BATCH:
                self._take_in(batch)
                batch = []
        self._take_in(batch)
        if end != start or start == 0:
            self._note_end(end)
        self._database.commit()

    def _take_in(self, lines: Sequence[MediaLine]) -> None:
        for line in lines:
            self._database.execute(
                "REPLACE INTO lines VALUES (?,?,?,?)", (line.url, line.state, line.sha256, line.size)
            )
            if line.state == MediaState.FAILED:
                self._queue_line(line)
            else:
                self._database.execute("DELETE FROM queue WHERE url = ?", (line.url,))

    def _queue_line(self, line: MediaLine) -> None:
        kind = line.kind if line.kind in {*MediaKind} else MediaKind.ATTACHMENT.value
        self._database.execute(
            "INSERT OR IGNORE INTO queue VALUES (?,?,?,?,?,?,NULL,'','')",
            (line.url, line.url, kind, line.name, line.message_id, line.channel_id),
        )

    def _covered(self) -> int | None:
        """Return how much of the ledger is in the index; ``None`` where the ledger is another one."""
        facts = dict(self._database.execute("SELECT name, value FROM facts").fetchall())
        if "end" not in facts:
            return None
        end = int(facts["end"])
        return end if self._tail(end) == facts["tail"] else None

    def _note_end(self, end: int | None = None) -> None:
        if end is None:
            try:
                end = self._ledger.stat().st_size
            except FileNotFoundError:
                end = 0
        facts = [("end", end), ("tail", self._tail(end))]
        self._database.executemany("REPLACE INTO facts VALUES (?,?)", facts)

    def _tail(self, end: int) -> bytes:
        try:
            with self._ledger.open("rb") as file:
                size = min(_TAIL_BYTES, end)
                file.seek(end - size)
                return file.read(size)
        except FileNotFoundError:
            return b""
