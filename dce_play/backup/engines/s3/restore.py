"""Putting objects back: into their bucket where they are missing or differ, or into a folder as files.

The archive is read twice: once to its index at the end, which is noted in a table on disk, and once for the bytes.
"""

import base64
import hashlib
import os
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import BinaryIO, cast

import msgspec

from dce_play.backup.engines.s3.contents import name_of, open_table, read_objects
from dce_play.backup.engines.s3.index import IndexLine
from dce_play.backup.engines.s3.names import INDEX, ROOT
from dce_play.backup.errors import BackupError, ErrorId
from dce_play.backup.protocols import OpenBackup
from dce_play.backup.streams import SourceFile
from dce_play.backup.tree.pax import NotATar
from dce_play.backup.tree.tar import TarReader
from dce_play.errors import ExitCode
from dce_play.system.s3.bucket import Bucket
from dce_play.system.s3.errors import S3Error

_PART_BYTES = 16 << 20


class Compared(msgspec.Struct, kw_only=True):
    """What a bucket has of a backup's objects."""

    missing: int = 0
    differing: int = 0
    equal: int = 0
    extra: int = 0
    """Objects of the bucket that the backup lacks. They stay."""


class Wanted:
    """The objects of a backup by the place of their member in the archive: a table on disk."""

    def __init__(self, database: sqlite3.Connection) -> None:
        self._database = database
        database.executescript(
            "PRAGMA journal_mode=OFF; PRAGMA synchronous=OFF; PRAGMA cache_size=-4096;"
            "CREATE TABLE wanted (number INTEGER PRIMARY KEY, key TEXT, line BLOB);"
            "CREATE INDEX by_key ON wanted (key);"
        )

    def add(self, line: IndexLine, number: int) -> None:
        """Note a current object; other versions are not put back."""
        if line.is_current:
            self._database.execute("INSERT INTO wanted VALUES (?, ?, ?)", (number, line.key, msgspec.json.encode(line)))

    def drop(self, number: int) -> None:
        """Forget an object that needs nothing."""
        self._database.execute("DELETE FROM wanted WHERE number = ?", (number,))

    def at(self, number: int) -> IndexLine | None:
        """Return the object whose member is the archive's so manieth."""
        row = self._database.execute("SELECT line FROM wanted WHERE number = ?", (number,)).fetchone()
        return None if row is None else msgspec.json.decode(row[0], type=IndexLine)

    def has(self, key: str) -> bool:
        """Return whether the backup has an object of this key."""
        return self._database.execute("SELECT 1 FROM wanted WHERE key = ?", (key,)).fetchone() is not None

    def all(self) -> Iterator[tuple[int, IndexLine]]:
        """Yield the objects by place, a few at a time, so that they may be dropped meanwhile."""
        last = -1
        while rows := self._database.execute(
            "SELECT number, line FROM wanted WHERE number > ? ORDER BY number LIMIT 500", (last,)
        ).fetchall():
            for number, line in rows:
                yield number, msgspec.json.decode(line, type=IndexLine)
            last = rows[-1][0]


@contextmanager
def wanted_of(backup: OpenBackup, folder: Path) -> Iterator[Wanted]:
    """Read the archive once, checking all of it, and give its objects. ``folder`` is a temporary one.

    Raises: BackupError, as ``read_objects``.
    """
    database = sqlite3.connect(folder / "wanted", isolation_level=None, check_same_thread=False)
    try:
        wanted = Wanted(database)
        database.execute("BEGIN")
        with open_table(folder) as table, backup.plain() as plain:
            read_objects(cast(BinaryIO, SourceFile(plain)), table, on_line=wanted.add)
            plain.finish()
        yield wanted
    finally:
        database.close()


def compare(bucket: Bucket, wanted: Wanted, *, prefix: str, drop_equal: bool) -> Compared:
    """Hold a bucket against the objects; what is equal is dropped from them when asked.

    Raises: S3Error.
    """
    found = Compared()
    for page in bucket.pages(prefix):
        found.extra += sum(1 for each in page if not wanted.has(each.key))
    for number, line in wanted.all():
        state = _state(bucket, line)
        if state == "equal" and drop_equal:
            wanted.drop(number)
        setattr(found, state, getattr(found, state) + 1)
    return found


def _state(bucket: Bucket, line: IndexLine) -> str:
    facts = bucket.head(line.key)
    if facts is None:
        return "missing"
    if facts.size_bytes != line.size:
        return "differing"
    whole = base64.b64encode(bytes.fromhex(line.sha256)).decode()
    same_facts = (facts.content_type, dict(facts.metadata)) == (line.content_type, line.metadata)
    if facts.sha256 == whole or (facts.etag_is_md5 and facts.etag == line.etag):
        return "equal" if same_facts else "differing"
    with bucket.open(line.key) as stream:
        digest = hashlib.sha256()
        for data in stream.chunks():
            digest.update(data)
    return "equal" if same_facts and digest.hexdigest() == line.sha256 else "differing"


def put_back(backup: OpenBackup, bucket: Bucket, wanted: Wanted) -> int:
    """Put the objects into the bucket; return how many.

    Raises: S3Error, BackupError.
    """
    count = 0
    with backup.plain() as plain:
        reader = TarReader(SourceFile(plain).read)
        try:
            for number, _ in enumerate(reader):
                line = wanted.at(number)
                if line is not None:
                    _put(bucket, line, reader)
                    count += 1
        except NotATar as error:
            raise BackupError(ErrorId.TRUNCATED, f"the archive is damaged: {error}") from error
        plain.finish()
    return count


def _put(bucket: Bucket, line: IndexLine, reader: TarReader) -> None:
    if line.size <= _PART_BYTES:
        data = reader.take(line.size)
        bucket.put(line.key, data, only_new=False, content_type=line.content_type, metadata=line.metadata)
        return
    upload = bucket.begin(line.key, content_type=line.content_type, metadata=line.metadata)
    try:
        left = line.size
        while left:
            data = reader.take(min(_PART_BYTES, left))
            upload.add(data)
            left -= len(data)
        upload.complete(only_new=False)
    except BaseException:
        with suppress(S3Error):
            upload.abort()
        raise


def put_into(backup: OpenBackup, folder: Path, wanted: Wanted) -> None:
    """Write the objects below ``objects/`` of a folder, by their members' names, and the index beside it.

    Raises: BackupError.
    """
    with backup.plain() as plain:
        reader = TarReader(SourceFile(plain).read)
        try:
            for number, member in enumerate(reader):
                if member.name == INDEX.encode():
                    _write(folder / INDEX, reader)
                elif wanted.at(number) is not None:
                    path = folder / ROOT / _inside(name_of(member))
                    path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
                    _write(path, reader)
        except NotATar as error:
            raise BackupError(ErrorId.TRUNCATED, f"the archive is damaged: {error}") from error
        plain.finish()


def _inside(name: str) -> str:
    """Return the name, if it stays inside a folder. What we wrote does; an archive may have been made by others."""
    if name.startswith("/") or any(part in {"", ".", ".."} for part in name.split("/")) or "\0" in name:
        raise BackupError(ErrorId.VERIFY_FAILED, f"the archive has a member that leads elsewhere: {name[:200]!r}")
    return name


def _write(path: Path, reader: TarReader) -> None:
    flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
    try:
        with os.fdopen(os.open(path, flags, 0o600), "wb") as file:
            for data in reader.chunks():
                file.write(data)
    except OSError as error:
        raise BackupError(
            ErrorId.WRITE_FAILED, f"cannot write {path}: {error.strerror}", exit_code=ExitCode.FAILED
        ) from error
