"""A tar of folders back into folders, with everything that was kept: contents, modes, owners, times, attributes.

Every name is opened below the folder that it lies in, no link is ever followed, and nothing that exists is replaced:
a tar that somebody else wrote can do no harm outside the folder it is unpacked into.
"""

import hashlib
import os
from collections.abc import Callable

import msgspec

from dce_play.backup.errors import BackupError, ErrorId
from dce_play.backup.tree.attributes import write_attributes
from dce_play.backup.tree.index import ContentSum, RunningIndex
from dce_play.backup.tree.pax import Kind, Member, NotATar
from dce_play.backup.tree.tar import INDEX, TarReader, content
from dce_play.system.descriptors import write_all

_FLAGS = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
_FOLDER_FLAGS = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC


class UnpackRules(msgspec.Struct, frozen=True, kw_only=True):
    """What is given back besides contents and kinds."""

    owners: bool
    """Needs root."""
    attributes: bool = True
    rename: Callable[[bytes], bytes | None] = lambda name: name
    """Where a member goes below the folder; ``None``: nowhere."""
    index_to: int | None = None
    """A descriptor into which the index is copied; without it the index is only compared."""


class TreeUnpacker:
    """Unpacks one tar into an open folder."""

    def __init__(self, folder: int, rules: UnpackRules) -> None:
        self._folder = folder
        self._rules = rules
        self._later: list[tuple[bytes, Member]] = []
        self.index = RunningIndex()

    def unpack(self, read: Callable[[int], bytes]) -> None:
        """Read the tar to its end; ``read`` returns exactly so many bytes, fewer only at the end.

        Raises: BackupError: ``truncated`` for a stream that is no whole tar, ``verify-failed`` for one that is not
        what its index says, ``write-failed`` for a disk that does not take it.
        """
        reader = TarReader(read)
        indexed = False
        try:
            for member in reader:
                if indexed:
                    raise BackupError(ErrorId.VERIFY_FAILED, "the archive goes on behind its index")
                if member.name == INDEX:
                    self._compare(reader)
                    indexed = True
                    continue
                self._member(reader, member)
        except NotATar as error:
            raise BackupError(ErrorId.TRUNCATED, f"the archive is damaged: {error}") from error
        except OSError as error:
            where = os.fsdecode(error.filename) if error.filename else "a file"
            raise BackupError(
                ErrorId.WRITE_FAILED, f"cannot restore {where}: {(error.strerror or str(error)).lower()}"
            ) from error
        if not indexed:
            raise BackupError(ErrorId.VERIFY_FAILED, f"the archive has no {INDEX.decode()}")
        self._finish_folders()

    def _compare(self, reader: TarReader) -> None:
        digest = hashlib.sha256()
        for data in reader.chunks():
            digest.update(data)
            if self._rules.index_to is not None:
                os.write(self._rules.index_to, data)
        if digest.hexdigest() != self.index.sha256():
            raise BackupError(ErrorId.VERIFY_FAILED, "the archive is not what its index says")

    def _member(self, reader: TarReader, member: Member) -> None:
        target = self._rules.rename(member.name)
        digest = ContentSum(member)
        if target is None:
            for offset, data in content(reader, member)[1]:
                digest.feed(offset, data)
        else:
            parent, name = self._parent(target)
            try:
                self._make(reader, member, parent, name, target, digest)
            finally:
                os.close(parent)
        self.index.add(member, digest.hexdigest())

    def _make(
        self,
        reader: TarReader,
        member: Member,
        parent: int,
        name: bytes,
        target: bytes,
        digest: ContentSum,
    ) -> None:
        match member.kind:
            case Kind.FOLDER:
                if name != b".":
                    os.mkdir(name, 0o700, dir_fd=parent)
                self._later.append((target, member))
            case Kind.FILE:
                descriptor = os.open(name, _FLAGS, 0o600, dir_fd=parent)
                try:
                    _fill(reader, member, descriptor, digest)
                    self._dress(descriptor, member)
                finally:
                    os.close(descriptor)
            case Kind.SYMLINK:
                os.symlink(member.link, name, dir_fd=parent)
                if self._rules.owners:
                    os.chown(name, member.uid, member.gid, dir_fd=parent, follow_symlinks=False)
                times = (member.mtime_ns, member.mtime_ns)
                os.utime(name, ns=times, dir_fd=parent, follow_symlinks=False)
            case Kind.HARD_LINK:
                self._link(member, parent, name)
            case Kind.PIPE:
                os.mkfifo(name, 0o600, dir_fd=parent)
                if self._rules.owners:
                    os.chown(name, member.uid, member.gid, dir_fd=parent, follow_symlinks=False)
                os.chmod(name, member.mode, dir_fd=parent)
                os.utime(name, ns=(member.mtime_ns, member.mtime_ns), dir_fd=parent, follow_symlinks=False)

    def _link(self, member: Member, parent: int, name: bytes) -> None:
        first = self._rules.rename(member.link)
        if first is None:
            raise BackupError(ErrorId.VERIFY_FAILED, f"{os.fsdecode(member.name)} is linked to what is not restored")
        other, other_name = self._parent(first)
        try:
            os.link(other_name, name, src_dir_fd=other, dst_dir_fd=parent, follow_symlinks=False)
        finally:
            os.close(other)

    def _dress(self, descriptor: int, member: Member) -> None:
        """Give an open file its owner, then its attributes, its mode (a change of owner takes bits away) and times."""
        if self._rules.owners:
            os.fchown(descriptor, member.uid, member.gid)
        if self._rules.attributes and member.extra:
            write_attributes(descriptor, member.extra)
        os.fchmod(descriptor, member.mode)
        os.utime(descriptor, ns=(member.mtime_ns, member.mtime_ns))

    def _finish_folders(self) -> None:
        """Give folders their modes and times last: until then we write into them."""
        for target, member in reversed(self._later):
            parent, name = self._parent(target)
            try:
                descriptor = os.open(name, _FOLDER_FLAGS, dir_fd=parent)
                try:
                    self._dress(descriptor, member)
                    os.fsync(descriptor)
                finally:
                    os.close(descriptor)
            finally:
                os.close(parent)

    def _parent(self, target: bytes) -> tuple[int, bytes]:
        """Return an open folder and the last part of a name below ours; parents that are missing are made.

        Raises: BackupError (``verify-failed``), for a name that leads out.
        """
        *parts, name = target.split(b"/")
        if any(part in {b"", b".."} for part in (*parts, name)) or b"." in parts:
            raise BackupError(ErrorId.VERIFY_FAILED, f"a member with the unsafe name {os.fsdecode(target)!r}")
        folder = os.dup(self._folder)
        for part in parts:
            try:
                inner = os.open(part, _FOLDER_FLAGS, dir_fd=folder)
            except FileNotFoundError:
                os.mkdir(part, 0o700, dir_fd=folder)
                inner = os.open(part, _FOLDER_FLAGS, dir_fd=folder)
            finally:
                os.close(folder)
            folder = inner
        return folder, name


def _fill(reader: TarReader, member: Member, descriptor: int, digest: ContentSum) -> None:
    segments, pieces = content(reader, member)
    for offset, data in pieces:
        digest.feed(offset, data)
        if segments is not None:
            os.lseek(descriptor, offset, os.SEEK_SET)
        write_all(descriptor, data)
    if segments is not None:
        os.ftruncate(descriptor, member.content_bytes)
