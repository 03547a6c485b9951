"""Opening an SQLite database to read it, and leaving its folder as it was found.

SQLite makes ``-wal`` and ``-shm`` beside a database in WAL mode when it opens it, also to read, and leaves them. So a
database that nobody has open is opened in another way:

- without a log (its last user closed it): as one that nobody changes, and afterwards it is looked whether that is true;
- with a log and without ``-shm`` (its last user was killed, or both were copied): a private copy of the two.

One that has its ``-shm`` is open, or was a moment ago: it is opened as every reader opens it, by SQLite's own locks.
"""

import os
import shutil
import tempfile
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import quote

_BUSY_S = 30.0
_HEAD_BYTES = 20
_WAL_VERSION = b"\x02\x02"
"""The file format versions, at byte 18, of a database in WAL mode. Source: sqlite.org/fileformat.html, "1.3.3"."""
_Facts = tuple[tuple[int, int, int] | None, ...]


class SomebodyCame(Exception):
    """A database that nobody had open was changed, or opened, while it was read."""


@contextmanager
def opened_to_read(path: bytes, *, folder_for: Callable[[int], str]) -> Iterator[Any]:
    """Give a connection that reads one state of a database; it is in a transaction that has read.

    ``folder_for`` returns a folder for a private copy of so many bytes.

    Raises: sqlite3.Error, OSError; SomebodyCame, at the end, when what was read may be no single state: read it again.
    """
    import sqlite3  # 10 ms, and few trees have a database

    found = _facts(path)
    _, log, shared = found
    if not _is_wal(path) or shared is not None:
        with _reading(path, "") as connection:
            yield connection
        return
    has_log = log is not None and log[0] > 0
    try:
        with _private(path, folder_for) if has_log else _reading(path, "&immutable=1") as connection:
            yield connection
    except sqlite3.Error as error:
        if _facts(path) != found:
            raise SomebodyCame from error
        raise
    if _facts(path) != found:
        raise SomebodyCame


@contextmanager
def _reading(path: bytes, more: str) -> Iterator[Any]:
    import sqlite3  # as above

    with closing(sqlite3.connect(f"file:{quote(path)}?mode=ro{more}", uri=True, timeout=_BUSY_S)) as connection:
        connection.execute("BEGIN")
        connection.execute("PRAGMA page_count").fetchone()
        yield connection


@contextmanager
def _private(path: bytes, folder_for: Callable[[int], str]) -> Iterator[Any]:
    """Open a copy of a database and its log; it has lost its names before its first page is handed out."""
    names = [os.fsdecode(path) + ending for ending in ("", "-wal")]
    size = sum(Path(name).stat().st_size for name in names)
    folder = Path(tempfile.mkdtemp(prefix="dce-play-sqlite-", dir=folder_for(size)))
    try:
        for name, ending in zip(names, ("", "-wal"), strict=True):
            shutil.copyfile(name, folder / f"copy{ending}")
        with _reading(os.fsencode(folder / "copy"), "") as connection:
            shutil.rmtree(folder)
            yield connection
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _is_wal(path: bytes) -> bool:
    with Path(os.fsdecode(path)).open("rb") as file:
        return file.read(_HEAD_BYTES)[18:20] == _WAL_VERSION


def _facts(path: bytes) -> _Facts:
    """Return size, inode and time of the database, its log and its shared memory; ``None`` for what is not there."""
    return tuple(_of(Path(os.fsdecode(path) + ending)) for ending in ("", "-wal", "-shm"))


def _of(path: Path) -> tuple[int, int, int] | None:
    try:
        status = path.stat()
    except FileNotFoundError:
        return None
    return status.st_size, status.st_ino, status.st_mtime_ns
