"""The tar of the custom format: a list of databases, the globals, one dump a database, and the counts as end mark.

A tar tells each member's size before its bytes, and nobody knows a dump's size before its end. So a dump longer than
one part goes on in members ``….dump.0001``, ``….dump.0002``: joined they are what ``pg_dump`` wrote, with nothing kept
on a disk and at most one part in memory.
"""

import json
import re
from collections.abc import Iterator, Sequence
from typing import Protocol

import msgspec

from dce_play.backup.errors import BackupError, ErrorId
from dce_play.backup.streams import Sink
from dce_play.backup.tree.pax import Kind, Member, NotATar
from dce_play.backup.tree.tar import TarReader, TarWriter
from dce_play.source import JsonValue

PART_BYTES = 16 << 20
LIST = "databases.json"
GLOBALS = "globals.sql"
COUNTS = "counts.json"
_MOST_JSON_BYTES = 64 << 20
_PART = re.compile(r"(.+\.(?:dump|sql))\.\d{4,}")
_PLAIN_NAME = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_-]{0,62}")


class Reads(Protocol):
    """A file that can be read, exactly so many bytes until its end."""

    def read(self, size_bytes: int, /) -> bytes: ...


class DumpMember(msgspec.Struct, frozen=True, kw_only=True):
    """A database and the member with its dump."""

    name: str
    member: str


def name_members(databases: Sequence[str]) -> tuple[DumpMember, ...]:
    """Return a member's name for each database: its own where that is plain, else its place in the list."""
    return tuple(
        DumpMember(name=name, member=f"databases/{name if _PLAIN_NAME.fullmatch(name) else f'{number:04}.other'}.dump")
        for number, name in enumerate(databases, 1)
    )


class ArchiveWriter:
    """Writes the tar. Each member is opened, written and closed in turn."""

    def __init__(self, out: Sink, *, mtime: int) -> None:
        self._tar = TarWriter(out)
        self._mtime_ns = mtime * 10**9
        self._name = ""
        self._part = 0
        self._buffer = bytearray()

    def begin(self, name: str) -> None:
        """Open the next member."""
        self._name, self._part = name, 0

    def write(self, data: bytes) -> None:
        """Write into the open member."""
        self._buffer += data
        while len(self._buffer) >= PART_BYTES:
            self._flush(PART_BYTES)

    def end(self) -> None:
        """Close the open member."""
        if self._buffer or self._part == 0:
            self._flush(len(self._buffer))

    def add_json(self, name: str, value: JsonValue) -> None:
        """Write a small member whole."""
        self.begin(name)
        self.write(json.dumps(value, ensure_ascii=True).encode() + b"\n")
        self.end()

    def close(self) -> None:
        """Write the end of the tar."""
        self._tar.end()

    def _flush(self, length: int) -> None:
        name = self._name + (f".{self._part:04}" if self._part else "")
        self._tar.begin(Member(name=name.encode(), kind=Kind.FILE, size_bytes=length, mtime_ns=self._mtime_ns))
        with memoryview(self._buffer) as whole:
            self._tar.data(whole[:length])
        del self._buffer[:length]
        self._part += 1


class ArchiveReader:
    """Reads the tar as it streams by.

    Raises, while it is read: BackupError (``truncated``, ``verify-failed``).
    """

    def __init__(self, stream: Reads) -> None:
        self._tar = TarReader(stream.read)
        self._headers = iter(self._tar)
        self._name: str | None = None

    def members(self) -> Iterator[tuple[str, Iterator[bytes]]]:
        """Yield each member with its bytes, the parts of a dump joined. The bytes must be read before the next."""
        last = ""
        try:
            self._step()
            while self._name is not None:
                last = self._name
                yield last, self._joined(last)
        except NotATar as error:
            raise BackupError(ErrorId.TRUNCATED, f"the dump is not whole: {error}") from error
        if last != COUNTS:
            raise BackupError(ErrorId.TRUNCATED, f"the dump is not whole: its last member is {last or 'nothing'}")

    def _joined(self, name: str) -> Iterator[bytes]:
        while self._name is not None:
            part = _PART.fullmatch(self._name)
            if self._name != name and (part is None or part[1] != name):
                return
            try:
                yield from self._tar.chunks()
                self._step()
            except NotATar as error:
                raise BackupError(ErrorId.TRUNCATED, f"the dump is not whole: {error}") from error

    def _step(self) -> None:
        member = next(self._headers, None)
        self._name = None if member is None else member.name.decode("utf-8", "surrogateescape")


def read_json(chunks: Iterator[bytes]) -> JsonValue:
    """Return a small member's value.

    Raises: BackupError (``verify-failed``).
    """
    data = bytearray()
    for chunk in chunks:
        data += chunk
        if len(data) > _MOST_JSON_BYTES:
            raise BackupError(ErrorId.VERIFY_FAILED, "the dump is damaged: its list is far too long")
    try:
        value: JsonValue = json.loads(data)
    except ValueError as error:
        raise BackupError(ErrorId.VERIFY_FAILED, f"the dump is damaged: {error}") from error
    return value
