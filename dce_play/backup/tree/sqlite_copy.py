"""A consistent copy of a live SQLite file, through SQLite's own API.

A plain copy in WAL mode loses what was committed but not yet checkpointed. A small database is copied within memory. A
larger one needs a file, which loses its name before its first byte is written: it is gone when it is closed, whatever
happens. Where nothing plain may touch the disk, that file lies on a memory file system or there is no copy.
"""

import os
import tempfile
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

from dce_play.backup.errors import BackupError, ErrorId
from dce_play.backup.tree.sqlite_open import SomebodyCame, opened_to_read
from dce_play.errors import ExitCode
from dce_play.system.counted import counted
from dce_play.system.descriptors import write_all
from dce_play.system.disk import disk_space, mount_of

MAGIC = b"SQLite format 3\0"
_TRIES = 3
_PAGES_AT_ONCE = 1024
_SMALL_BYTES = 16 << 20
"""Up to here a copy is made within memory: twice as much for a moment, of the 64 MiB that a backup may take."""
_MEMORY = "/dev/shm"  # noqa: S108 - not a name that anybody could plant: mkstemp makes it
_MEMORY_KINDS = frozenset({"tmpfs", "ramfs"})


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
def consistent_copy(path: bytes, *, off_disk: bool) -> Iterator[int]:
    """Give a descriptor of a copy, open for reading. ``off_disk``: the copy may not touch a disk.

    The database's folder is left as it was found.

    Raises: BackupError: ``engine-failed``, when SQLite cannot read it; ``no-space`` (exit 1), when it may not touch a
    disk and is too large for memory.
    """
    descriptor = _copied(path, os.fsdecode(path), off_disk=off_disk)
    try:
        yield descriptor
    finally:
        os.close(descriptor)


def _copied(path: bytes, shown: str, *, off_disk: bool) -> int:
    import sqlite3  # 10 ms, and few trees have a database

    for _ in range(_TRIES):
        descriptor = -1
        try:
            with opened_to_read(path, folder_for=lambda size: _folder_for(size, shown, off_disk=off_disk)) as source:
                descriptor = _copy_of(source, shown, off_disk=off_disk)
        except SomebodyCame:
            if descriptor >= 0:
                os.close(descriptor)
            continue
        except sqlite3.Error as error:
            raise BackupError(
                ErrorId.ENGINE_FAILED,
                f"SQLite cannot read {shown}: {error}",
                hint="close the program that locks it, exclude it, or set files.sqlite: false",
            ) from error
        return descriptor
    raise BackupError(
        ErrorId.CHANGED, f"{shown} was opened and closed again each time while it was read", exit_code=ExitCode.FAILED
    )


def _copy_of(source: Any, shown: str, *, off_disk: bool) -> int:
    size = _size(source)
    if size <= _SMALL_BYTES:
        descriptor = os.memfd_create("sqlite")
        write_all(descriptor, source.serialize())
        return descriptor
    descriptor, name = tempfile.mkstemp(prefix="dce-play-sqlite-", dir=_folder_for(size, shown, off_disk=off_disk))
    try:
        _back_up(source, name)
    except BaseException:
        os.close(descriptor)
        raise
    return descriptor


def _size(source: Any) -> int:
    """Return the size in bytes of the state that the transaction sees."""
    pages = source.execute("PRAGMA page_count").fetchone()[0]
    return int(pages * source.execute("PRAGMA page_size").fetchone()[0])


def _folder_for(size: int, shown: str, *, off_disk: bool) -> str:
    """Return a folder for a copy of so many bytes."""
    folder = tempfile.gettempdir()
    if off_disk:
        folder = next((each for each in (folder, _MEMORY) if _is_in_memory(each, size)), "")
    if not folder:
        raise BackupError(
            ErrorId.NO_SPACE,
            f"{shown} has {counted(size, 'byte')}: its copy does not fit into memory, "
            "and would be plain text on a disk",
            hint=f"make room below {_MEMORY}, or quiesce the service and set files.sqlite: false",
            exit_code=ExitCode.FAILED,
        )
    return folder


def _is_in_memory(folder: str, size: int) -> bool:
    """Return whether a folder lies in memory and has room, with as much again left over for everybody else."""
    place = Path(folder)
    return place.is_dir() and mount_of(place).kind in _MEMORY_KINDS and disk_space(place).free_bytes >= 2 * size


def _back_up(source: Any, name: str) -> None:
    """Copy page by page into the file of a name, and let writers in between; the name is gone before the first page."""
    import sqlite3

    source.execute("ROLLBACK")
    try:
        destination = sqlite3.connect(name)
    finally:
        Path(name).unlink()
    with closing(destination):
        destination.execute("PRAGMA journal_mode=OFF")
        destination.execute("PRAGMA synchronous=OFF")
        source.backup(destination, pages=_PAGES_AT_ONCE, sleep=0.05)
