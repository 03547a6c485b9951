"""``index.jsonl``: a line for each stored episode. It is derived: whatever is lost of it can be made again.

Lines are only ever added, each by one write under a lock on the file, so that the receiver and ``receive backfill``
may both be at it. A last line without its end is what a crash left, and is cut.
"""

import os
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import msgspec

from dce_play.system.durable.disk import REAL, Disk
from dce_play.system.lock.file_lock import flock_file
from dce_play.transfer.wire import IndexRow

_LOCK_WAIT_S = 30.0
_PIECE_BYTES = 4 << 20


class _IdOnly(msgspec.Struct, frozen=True):
    id: str


class _LooseRow(msgspec.Struct, frozen=True, kw_only=True):
    """A row as old programs may have written it."""

    id: str
    host_id: str | None = None
    size: int = 0
    sha256: str = ""
    manifest_digest: str = ""
    commit: str | msgspec.UnsetType = msgspec.UNSET
    files: int = 0
    bytes: int = 0
    stored_at: str = ""
    source: str = ""


_ROW = msgspec.json.Decoder(IndexRow)
_LOOSE = msgspec.json.Decoder(_LooseRow)
_ID = msgspec.json.Decoder(_IdOnly)


class FileIndex:
    """The lines of one file, followed as they grow. Safe for threads."""

    def __init__(self, path: Path, *, disk: Disk = REAL, on_row: Callable[[IndexRow], None] | None = None) -> None:
        self._path = path
        self._disk = disk
        self._on_row = on_row or (lambda _row: None)
        self._mutex = threading.Lock()
        self._told: set[str] = set()
        """Ids whose row somebody was told of; it is told once, also when the file is written anew."""
        self._forget()

    def _forget(self) -> None:
        self._inode = 0
        self._at = 0
        self.ids: set[str] = set()
        self.lines = 0
        self.bad_lines: list[int] = []
        self.repeated: list[str] = []
        self.cut_bytes = 0

    def load(self, *, repair: bool) -> None:
        """Read what is there. With ``repair`` the file is made if it is missing, and a torn last line is cut."""
        with self._mutex:
            if repair:
                with self._locked():
                    self._catch_up(repair=True)
            elif self._path.exists():
                self._catch_up(repair=False)

    def look_again(self) -> None:
        """Read what others have written since; what they removed is no longer there."""
        with self._mutex:
            if self._unchanged():
                return
            if self._path.exists():
                self._catch_up(repair=False)
            else:
                self._forget()

    def add_missing(self, row: IndexRow) -> bool:
        """Add a line, durably, unless there is one of this id; return whether it was added."""
        with self._mutex:
            if row.id in self.ids and self._unchanged():
                return False
            with self._locked():
                self._catch_up(repair=True)
                if row.id in self.ids:
                    return False
                self._append(msgspec.json.encode(row) + b"\n")
                return True

    def rows(self) -> Iterator[IndexRow]:
        """Return every line that has an id, as far as it can be understood."""
        if not self._path.exists():
            return
        with self._path.open("rb") as file:
            for line in file:
                row = _decoded(line) if line.endswith(b"\n") else None
                if row is not None:
                    yield row

    def _unchanged(self) -> bool:
        facts = self._disk.facts_of(self._path)
        return facts is not None and (facts.inode, facts.size_bytes) == (self._inode, self._at)

    @contextmanager
    def _locked(self) -> Iterator[None]:
        if not self._path.exists():
            self._disk.close(self._disk.open(self._path, os.O_RDWR | os.O_CREAT))
            self._disk.sync_folder(self._path.parent)
        with flock_file(self._path, wait_s=_LOCK_WAIT_S):
            yield

    def _catch_up(self, *, repair: bool) -> None:
        descriptor = self._disk.open(self._path, os.O_RDWR if repair else os.O_RDONLY)
        try:
            facts = self._disk.facts(descriptor)
            if facts.inode != self._inode or facts.size_bytes < self._at:
                self._forget()
                self._inode = facts.inode
            rest = b""
            at = self._at
            while piece := self._disk.read_at(descriptor, _PIECE_BYTES, at):
                at += len(piece)
                whole, newline, rest = (rest + piece).rpartition(b"\n")
                for line in (whole + newline).splitlines(keepends=True) if newline else ():
                    self._take(line)
            if rest:
                self.cut_bytes += len(rest)
                if repair:
                    self._disk.truncate(descriptor, self._at)
                    self._disk.sync(descriptor)
        finally:
            self._disk.close(descriptor)

    def _append(self, line: bytes) -> None:
        descriptor = self._disk.open(self._path, os.O_WRONLY | os.O_APPEND)
        try:
            try:
                self._disk.write_at(descriptor, line, self._at)
                self._disk.sync(descriptor)
            except OSError:
                self._disk.truncate(descriptor, self._at)
                raise
        finally:
            self._disk.close(descriptor)
        self._take(line)

    def _take(self, line: bytes) -> None:
        self._at += len(line)
        self.lines += 1
        row = _decoded(line)
        if row is None:
            self.bad_lines.append(self.lines)
        elif row.id in self.ids:
            self.repeated.append(row.id)
        else:
            self.ids.add(row.id)
            if row.id not in self._told:
                self._told.add(row.id)
                self._on_row(row)


def _decoded(line: bytes) -> IndexRow | None:
    """Return a line's row; of one with strange fields only the id; ``None`` for a line without an id."""
    try:
        return _ROW.decode(line)
    except (msgspec.DecodeError, UnicodeDecodeError):
        loose = _loose(line)
    if loose is None:
        return None
    facts = {name: getattr(loose, name) for name in _LooseRow.__struct_fields__}
    return IndexRow(v=1, **facts)


def _loose(line: bytes) -> _LooseRow | None:
    try:
        return _LOOSE.decode(line)
    except (msgspec.DecodeError, UnicodeDecodeError):
        pass
    try:
        return _LooseRow(id=_ID.decode(line).id)
    except (msgspec.DecodeError, UnicodeDecodeError):
        return None
