"""Copies of SQLite files: consistent, and nothing of them on a disk where nothing may be."""

import os
import sqlite3
import tempfile
from contextlib import closing
from pathlib import Path

import pytest

from dce_play.backup.errors import BackupError, ErrorId
from dce_play.backup.tree import sqlite_copy
from dce_play.backup.tree.sqlite_open import SomebodyCame, opened_to_read
from dce_play.system.disk import mount_of

_LARGE_ROWS = 20


def database(path: Path, *, rows: int, mode: str) -> sqlite3.Connection:
    """Make a database of so many rows of 1 MiB; the last row is committed, and in WAL mode only in the log."""
    made = sqlite3.connect(path, isolation_level=None)
    made.execute(f"PRAGMA journal_mode={mode}")
    made.execute("CREATE TABLE seen (data)")
    made.executemany("INSERT INTO seen VALUES (?)", [(os.urandom(1 << 20),) for _ in range(rows)])
    made.execute("INSERT INTO seen VALUES ('last')")
    return made


def rows_of(descriptor: int, tmp_path: Path) -> int:
    copy = tmp_path / "copy.db"
    copy.write_bytes(os.pread(descriptor, os.fstat(descriptor).st_size, 0))
    with closing(sqlite3.connect(copy)) as opened:
        assert opened.execute("PRAGMA integrity_check").fetchone() == ("ok",)
        count: int = opened.execute("SELECT count(*) FROM seen").fetchone()[0]
    return count


@pytest.mark.contract("B7", "B11")
@pytest.mark.parametrize("mode", ["wal", "delete"])
@pytest.mark.parametrize("rows", [2, _LARGE_ROWS])
def test_a_copy_has_all_that_was_committed_and_no_name_anywhere(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, mode: str, rows: int
) -> None:
    temporary = tmp_path / "tmp"
    temporary.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(temporary))
    with (
        closing(database(tmp_path / "live.db", rows=rows, mode=mode)) as live,
        sqlite_copy.consistent_copy(os.fsencode(tmp_path / "live.db"), off_disk=False) as copy,
    ):
        assert list(temporary.iterdir()) == []
        live.execute("INSERT INTO seen VALUES ('later')")
        assert rows_of(copy, tmp_path) == rows + 1


@pytest.mark.contract("B7")
@pytest.mark.parametrize("rows", [2, _LARGE_ROWS])
def test_where_nothing_plain_may_touch_a_disk_the_copy_lies_in_memory(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, rows: int
) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    if mount_of(tmp_path).kind in {"tmpfs", "ramfs"} or mount_of(Path("/dev/shm")).kind != "tmpfs":
        pytest.skip("needs a temporary folder on a disk, and /dev/shm in memory")
    database(tmp_path / "live.db", rows=rows, mode="wal").close()
    with sqlite_copy.consistent_copy(os.fsencode(tmp_path / "live.db"), off_disk=True) as copy:
        assert os.fstat(copy).st_dev != tmp_path.stat().st_dev
        assert rows_of(copy, tmp_path) == rows + 1


def left(folder: Path) -> dict[str, tuple[int, int, bytes]]:
    """Return all that a backup could change in a folder."""
    return {
        path.name: (path.stat().st_ino, path.stat().st_mtime_ns, path.read_bytes())
        for path in folder.iterdir()
        if path.name.startswith("live.db")
    }


@pytest.mark.contract("B4")
@pytest.mark.parametrize("rows", [2, _LARGE_ROWS])
@pytest.mark.parametrize("end", ["closed", "killed", "closed-by-an-older-reader"])
def test_a_database_that_nobody_has_open_is_left_as_it_was_found(tmp_path: Path, rows: int, end: str) -> None:
    path = tmp_path / "live.db"
    if pid := os.fork():
        os.waitpid(pid, 0)
    else:
        made = database(path, rows=rows, mode="wal")
        if end != "killed":
            made.close()
        os._exit(0)
    if end == "killed":
        (tmp_path / "live.db-shm").unlink()
        assert (tmp_path / "live.db-wal").stat().st_size > 0
    elif end != "closed":
        (tmp_path / "live.db-wal").touch()
    before = left(tmp_path)
    with sqlite_copy.consistent_copy(os.fsencode(path), off_disk=False) as copy:
        assert left(tmp_path) == before
        assert rows_of(copy, tmp_path) == rows + 1
    assert left(tmp_path) == before


@pytest.mark.contract("B4")
def test_a_database_that_is_opened_while_it_is_read_as_one_that_nobody_has_is_read_again(tmp_path: Path) -> None:
    path = tmp_path / "live.db"
    database(path, rows=2, mode="wal").close()
    live = sqlite3.connect(path, isolation_level=None)
    with pytest.raises(SomebodyCame), opened_to_read(os.fsencode(path), folder_for=lambda _: str(tmp_path)):
        live.execute("INSERT INTO seen VALUES ('later')")  # sqlite3 opens the file only now
    with closing(live), sqlite_copy.consistent_copy(os.fsencode(path), off_disk=False) as copy:
        assert rows_of(copy, tmp_path) == 4


@pytest.mark.contract("B7")
def test_what_fits_into_no_memory_is_refused_and_not_copied_to_a_disk(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    monkeypatch.setattr(sqlite_copy, "_is_in_memory", lambda _folder, _size: False)
    database(tmp_path / "live.db", rows=_LARGE_ROWS, mode="delete").close()
    with (
        pytest.raises(BackupError) as caught,
        sqlite_copy.consistent_copy(os.fsencode(tmp_path / "live.db"), off_disk=True),
    ):
        pass
    assert (caught.value.error_id, caught.value.exit_code) == (ErrorId.NO_SPACE, 1)
    assert [path.name for path in tmp_path.iterdir()] == ["live.db"]


@pytest.mark.contract("B4")
@pytest.mark.parametrize("comes", [sqlite_copy._TRIES - 1, sqlite_copy._TRIES])
def test_a_database_that_is_opened_each_time_is_read_so_often(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, comes: int
) -> None:
    path = tmp_path / "live.db"
    database(path, rows=2, mode="wal").close()
    copies: list[int] = []
    copy_of = sqlite_copy._copy_of

    def copy_and_come(source: sqlite3.Connection, shown: str, *, off_disk: bool) -> int:
        copies.append(copy_of(source, shown, off_disk=off_disk))
        if len(copies) <= comes:
            with closing(sqlite3.connect(path, isolation_level=None)) as live:
                live.execute("INSERT INTO seen VALUES ('later')")
        return copies[-1]

    monkeypatch.setattr(sqlite_copy, "_copy_of", copy_and_come)
    if comes < sqlite_copy._TRIES:
        with sqlite_copy.consistent_copy(os.fsencode(path), off_disk=False) as copy:
            assert rows_of(copy, tmp_path) == 3 + comes
    else:
        with (
            pytest.raises(BackupError, match="was opened and closed again") as caught,
            sqlite_copy.consistent_copy(os.fsencode(path), off_disk=False),
        ):
            pass
        assert caught.value.error_id is ErrorId.CHANGED
    assert len(copies) == sqlite_copy._TRIES
