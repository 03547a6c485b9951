"""Folders into a tar: sorted, with everything that a file has, and an honest account of what changed meanwhile.

``TreePacker`` opens every name below the folder that it lies in and never follows a link, so nothing outside a root
gets in.
"""

import errno
import os
import stat
from collections.abc import Iterator, Sequence
from fnmatch import fnmatchcase
from pathlib import Path

import msgspec

from dce_play.backup.errors import BackupError, ErrorId
from dce_play.backup.facts import RootFacts
from dce_play.backup.streams import Sink
from dce_play.backup.tree.attributes import read_attributes
from dce_play.backup.tree.index import ContentSum, Counts, RunningIndex
from dce_play.backup.tree.look import (
    BLOCK_BYTES,
    begins_as_sqlite,
    data_segments,
    has_changed,
    identity,
    listing,
    open_file,
    read_exactly,
)
from dce_play.backup.tree.pax import Kind, Member
from dce_play.backup.tree.spool import SealedSpool
from dce_play.backup.tree.sqlite_copy import MAGIC, consistent_copy, is_companion, is_sqlite
from dce_play.backup.tree.tar import INDEX, TarWriter, sparse_map
from dce_play.errors import ExitCode

_GONE = frozenset({errno.ENOENT, errno.ENOTDIR, errno.ESTALE})
_NAMED = 10
"""How many changed or vanished files a message names."""


class PackRules(msgspec.Struct, frozen=True, kw_only=True):
    """What goes into a tar of folders, and what must not happen while it is made."""

    exclude: tuple[str, ...] = ()
    """Globs: one with a slash is held against the path below the root, or the absolute path; else against a name."""
    only: tuple[str, ...] = ()
    """Names of files; with any, no other file is taken along."""
    one_file_system: bool = False
    sqlite: bool = True
    off_disk: bool = False
    """What is archived is encrypted: no plain copy of it may touch a disk."""
    fail_on_change: bool = False
    not_below: Path | None = None
    """A folder of which nothing is archived: backup_root."""


class Packed(msgspec.Struct, frozen=True, kw_only=True):
    """What came of it. The first changed and vanished names, for a message."""

    counts: Counts
    changed: tuple[str, ...]
    vanished: tuple[str, ...]


class TreePacker:
    """Writes roots and then the index into a sink, which the caller finishes."""

    def __init__(self, out: Sink, rules: PackRules) -> None:
        self._tar = TarWriter(out)
        self._rules = rules
        self._index = RunningIndex()
        self._spool = SealedSpool()
        self._names: dict[tuple[int, int], tuple[bytes, int]] = {}
        self._changed: list[str] = []
        self._vanished: list[str] = []
        self._banned = identity(rules.not_below)
        self._roots: frozenset[bytes] = frozenset()

    def pack(self, roots: Sequence[RootFacts]) -> Packed:
        """Write all of it.

        Raises: BackupError: ``not-found`` for a root that is not there or cannot be read, ``incomplete`` for anything
        below that cannot be taken along, ``changed`` where nothing may change.
        """
        self._roots = frozenset(os.fsencode(root.label) for root in roots)
        try:
            for root in sorted(roots, key=lambda each: os.fsencode(each.label)):
                self._root(root)
            self._end()
        finally:
            self._spool.close()
        return Packed(
            counts=self._index.counts,
            changed=tuple(self._changed),
            vanished=tuple(self._vanished),
        )

    def _end(self) -> None:
        size = self._spool.size_bytes
        self._tar.begin(Member(name=INDEX, kind=Kind.FILE, size_bytes=size, mode=0o600))
        for part in self._spool.read_all():
            self._tar.data(part)
        self._tar.end()

    def _root(self, root: RootFacts) -> None:
        path = os.fsencode(root.source)
        try:
            status = os.stat(path)  # noqa: PTH116 - bytes: a name need not be UTF-8
            if not stat.S_ISDIR(status.st_mode):
                path = os.path.realpath(path)  # of a link, what it stands for, as of one to a folder
            if stat.S_ISDIR(status.st_mode):
                descriptor = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
            else:
                descriptor = os.open(os.path.dirname(path), os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)  # noqa: PTH120
        except OSError as error:
            raise BackupError(
                ErrorId.NOT_FOUND,
                f"the root {root.source} cannot be read: {(error.strerror or '').lower()}",
                hint="is the path right, and the volume mounted?",
                exit_code=ExitCode.FAILED,
            ) from error
        try:
            label = os.fsencode(root.label)
            if stat.S_ISDIR(status.st_mode):
                self._folder(descriptor, label, path, device=status.st_dev, root=path)
            else:
                self._entry(descriptor, os.path.basename(path), label, path, frozenset())  # noqa: PTH119
        finally:
            os.close(descriptor)

    def _folder(self, top: int, label: bytes, path: bytes, *, device: int, root: bytes) -> None:
        """Write a folder and all below it, depth first, without recursion: a tree may be deeper than our stack."""
        self._add(self._member(label, os.fstat(top), Kind.FOLDER, read_attributes(top)), "")
        stack: list[tuple[int, bytes, bytes, Iterator[bytes], frozenset[bytes]]] = []
        stack.append((os.dup(top), label, path, *listing(top)))
        try:
            while stack:
                folder, member, place, names, siblings = stack[-1]
                name = next(names, None)
                if name is None:
                    os.close(stack.pop()[0])
                    continue
                inner, where = member + b"/" + name, place + b"/" + name
                if inner in self._roots or self._is_excluded(where, root):
                    continue  # a root of its own comes by itself
                child = self._entry(folder, name, inner, where, siblings)
                if child is not None:
                    self._refuse_other_device(child, device, where)
                    stack.append((child, inner, where, *listing(child)))
        finally:
            for each in stack:
                os.close(each[0])

    def _refuse_other_device(self, child: int, device: int, where: bytes) -> None:
        if self._rules.one_file_system and os.fstat(child).st_dev != device:
            os.close(child)
            raise BackupError(
                ErrorId.INCOMPLETE,
                f"{os.fsdecode(where)} is on another file system",
                hint="exclude it, or set files.one_file_system: false",
            )

    def _is_excluded(self, where: bytes, root: bytes) -> bool:
        if not self._rules.exclude:
            return False
        whole = os.fsdecode(where)
        below = whole.removeprefix(os.fsdecode(root)).lstrip("/")
        name = whole.rpartition("/")[2]
        return any(
            fnmatchcase(below, glob) or fnmatchcase(whole, glob) if "/" in glob else fnmatchcase(name, glob)
            for glob in (each.rstrip("/") for each in self._rules.exclude)
        )

    def _entry(self, folder: int, name: bytes, member: bytes, where: bytes, siblings: frozenset[bytes]) -> int | None:
        """Write one entry; return an open folder, whose entries come next, or ``None``."""
        try:
            status = os.stat(name, dir_fd=folder, follow_symlinks=False)
            kind = stat.S_IFMT(status.st_mode)
            if kind == stat.S_IFDIR:
                return self._open_folder(folder, name, member, status)
            if self._rules.only and os.fsdecode(name) not in self._rules.only:
                return None
            if kind == stat.S_IFREG:
                self._file(folder, name, member, where, siblings)
            elif kind == stat.S_IFLNK:
                link = os.readlink(name, dir_fd=folder)
                found = self._member(member, status, Kind.SYMLINK, read_attributes(where))
                found.link = link
                self._add(found, "")
            elif kind == stat.S_IFIFO:
                self._add(self._member(member, status, Kind.PIPE, {}), "")
            elif kind == stat.S_IFSOCK:
                self._index.counts.sockets += 1
            else:
                raise BackupError(
                    ErrorId.INCOMPLETE, f"{os.fsdecode(where)} is a device", hint="exclude it: devices are not archived"
                )
        except OSError as error:
            if error.errno not in _GONE:
                raise BackupError(
                    ErrorId.INCOMPLETE,
                    f"{os.fsdecode(where)} cannot be read: {(error.strerror or str(error)).lower()}",
                    hint="run it as a user who may read all of it, or exclude it",
                ) from error
            self._note_vanished(where)
        return None

    def _open_folder(self, folder: int, name: bytes, member: bytes, status: os.stat_result) -> int | None:
        if (status.st_dev, status.st_ino) == self._banned:
            return None
        child = os.open(name, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC, dir_fd=folder)
        try:
            self._add(self._member(member, os.fstat(child), Kind.FOLDER, read_attributes(child)), "")
        except BaseException:
            os.close(child)
            raise
        return child

    def _file(self, folder: int, name: bytes, member: bytes, where: bytes, siblings: frozenset[bytes]) -> None:
        descriptor = open_file(folder, name)
        try:
            before = os.fstat(descriptor)
            if self._is_second_name(before, member):
                return
            head = os.pread(descriptor, len(MAGIC), 0) if self._rules.sqlite and before.st_size else b""
            database = is_companion(name, siblings) if self._rules.sqlite else None
            if database is not None and begins_as_sqlite(folder, database):
                return
            found = self._member(member, before, Kind.FILE, read_attributes(descriptor))
            if is_sqlite(head):
                self._index.counts.sqlite += 1
                with consistent_copy(where, off_disk=self._rules.off_disk) as copy:
                    self._content(copy, found, os.fstat(copy))
                return
            self._content(descriptor, found, before)
            after = os.fstat(descriptor)
            if has_changed(before, after):
                self._note_changed(where)
        finally:
            os.close(descriptor)

    def _is_second_name(self, status: os.stat_result, member: bytes) -> bool:
        """Write a hard link, if the file was written under another name; forget a file with its last name."""
        if status.st_nlink < 2:
            return False
        key = (status.st_dev, status.st_ino)
        first, left = self._names.get(key, (b"", status.st_nlink))
        if left <= 1:
            self._names.pop(key, None)
        else:
            self._names[key] = (first or member, left - 1)
        if not first:
            return False
        link = self._member(member, status, Kind.HARD_LINK, {})
        link.link = first
        self._add(link, "")
        return True

    def _content(self, descriptor: int, member: Member, status: os.stat_result) -> None:
        size = status.st_size
        segments = data_segments(descriptor, size) if status.st_blocks * BLOCK_BYTES < size else None
        table = b""
        if segments is None:
            segments = [(0, size)]
            member.size_bytes = size
        else:
            if not segments or sum(segments[-1]) < size:
                segments.append((size, 0))  # GNU tar cuts a file behind its last segment
            table = sparse_map(segments)
            member.real_bytes = size
            member.size_bytes = len(table) + sum(length for _, length in segments)
        self._tar.begin(member)
        digest = ContentSum(member)
        self._tar.data(table)
        for offset, length in segments:
            for data in read_exactly(descriptor, offset, length):
                digest.feed(offset, data)
                offset += len(data)  # noqa: PLW2901 - the place within the segment
                self._tar.data(data)
        self._spool.write(self._index.add(member, digest.hexdigest()))

    def _add(self, member: Member, sha256: str) -> None:
        self._tar.begin(member)
        self._spool.write(self._index.add(member, sha256))

    def _member(self, name: bytes, status: os.stat_result, kind: Kind, extra: dict[str, bytes]) -> Member:
        return Member(
            name=name,
            kind=kind,
            mode=stat.S_IMODE(status.st_mode),
            uid=status.st_uid,
            gid=status.st_gid,
            mtime_ns=status.st_mtime_ns,
            extra=extra,
        )

    def _note_changed(self, where: bytes) -> None:
        self._index.counts.changed += 1
        self._note(self._changed, where, "changed")

    def _note_vanished(self, where: bytes) -> None:
        self._index.counts.vanished += 1
        self._note(self._vanished, where, "vanished")

    def _note(self, names: list[str], where: bytes, what: str) -> None:
        shown = os.fsdecode(where)
        if self._rules.fail_on_change:
            raise BackupError(
                ErrorId.CHANGED,
                f"{shown} {what} while it was read",
                hint="something still writes there: quiesce it, or set on_change: warn",
            )
        if len(names) < _NAMED:
            names.append(shown)
