"""A consistent copy of a live SQLite file, through SQLite's own backup API.

A plain copy in WAL mode loses what was committed but not yet checkpointed. The copy has no name: it is gone when it is
closed, whatever happens.
"""

import os
import tempfile
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from urllib.parse import quote

from dce_play.backup.errors import BackupError, ErrorId

MAGIC = b"SQLite format 3\0"
_BUSY_S = 30.0
_PAGES_AT_ONCE = 1024


def is_sqlite(head: bytes) -> bool:
    """Return whether a file that begins so is an SQLite database."""
    return head.startswith(MAGIC)


def is_companion(name: bytes, siblings: frozenset[bytes]) -> bytes | None:
    """Return the database whose ``-wal``, ``-shm`` or ``-journal`` this name may be, if it is in the folder."""
    for ending in (b"-wal", b"-shm", b"-journal"):
        if name.endswith(ending) and name.removesuffix(ending) in siblings:
            return name.removesuffix(ending)
    return None


@contextmanager
def consistent_copy(path: bytes) -> Iterator[int]:
    """Give a descriptor of a copy, open for reading.

    Raises: BackupError (``engine-failed``), when SQLite cannot read it.
    """
    import sqlite3  # 10 ms, and few trees have a database

    shown = os.fsdecode(path)
    descriptor, name = tempfile.mkstemp(prefix="dce-play-sqlite-")
    try:
        try:
            source = sqlite3.connect(f"file:{quote(path)}?mode=ro", uri=True, timeout=_BUSY_S)
            with closing(source), closing(sqlite3.connect(name)) as destination:
                destination.execute("PRAGMA journal_mode=OFF")
                destination.execute("PRAGMA synchronous=OFF")
                source.backup(destination, pages=_PAGES_AT_ONCE, sleep=0.05)
        except sqlite3.Error as error:
            raise BackupError(
                ErrorId.ENGINE_FAILED,
                f"SQLite cannot read {shown}: {error}",
                hint="close the program that locks it, exclude it, or set files.sqlite: false",
            ) from error
        finally:
            Path(name).unlink()  # the descriptor still reads it
        yield descriptor
    finally:
        os.close(descriptor)
