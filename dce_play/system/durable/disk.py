"""Every file call of the writing side, in one small class, so that tests can put a simulated disk there.

``REAL`` is the machine's own disk. A test hands in a subclass of ``Disk`` that records the calls, loses what was
not synced, or fails.
"""

import errno
import fcntl
import os
from dataclasses import dataclass
from pathlib import Path

from dce_play.system.durable.keeping import keep_attributes

_NO_COPY_RANGE = frozenset({errno.EXDEV, errno.EINVAL, errno.ENOSYS, errno.EOPNOTSUPP})
_MAY_NOT_WRITE = frozenset({errno.EACCES, errno.EPERM, errno.EROFS, errno.ETXTBSY})
_FICLONE = 0x40049409
"""The ioctl that makes one file share another's blocks. Source: linux/fs.h, FICLONE."""


@dataclass(frozen=True, slots=True, kw_only=True)
class FileFacts:
    """What the kernel knows of one file."""

    device: int
    inode: int
    size_bytes: int
    mtime_ns: int
    ctime_ns: int
    mode: int
    """Permission bits only."""
    uid: int
    gid: int


def facts_from(status: os.stat_result) -> FileFacts:
    """Return the facts in a stat result."""
    return FileFacts(
        device=status.st_dev,
        inode=status.st_ino,
        size_bytes=status.st_size,
        mtime_ns=status.st_mtime_ns,
        ctime_ns=status.st_ctime_ns,
        mode=status.st_mode & 0o7777,
        uid=status.st_uid,
        gid=status.st_gid,
    )


class Disk:
    """The file calls. Every method may raise ``OSError``; none retries."""

    def open(self, path: Path, flags: int, mode: int = 0o666) -> int:
        """Return a new descriptor, closed on exec."""
        return os.open(path, flags | os.O_CLOEXEC, mode)

    def open_for_all(self, path: Path, flags: int, mode: int = 0o666) -> int:
        """Open an existing file for reading and writing, or for reading where it may not be written."""
        try:
            return self.open(path, flags | os.O_RDWR, mode)
        except OSError as error:
            if error.errno not in _MAY_NOT_WRITE:
                raise
        return self.open(path, flags, mode)

    def may_write(self, descriptor: int) -> bool:
        """Return whether an open file was opened for writing."""
        return fcntl.fcntl(descriptor, fcntl.F_GETFL) & os.O_ACCMODE != os.O_RDONLY

    def close(self, descriptor: int) -> None:
        os.close(descriptor)

    def facts(self, descriptor: int) -> FileFacts:
        """Return what the kernel knows of an open file."""
        return facts_from(os.fstat(descriptor))

    def facts_of(self, path: Path) -> FileFacts | None:
        """Return what the kernel knows of the file at a path, or ``None`` when nothing is there."""
        try:
            return facts_from(path.stat())
        except FileNotFoundError:
            return None

    def read_at(self, descriptor: int, size_bytes: int, offset: int) -> bytes:
        """Return that many bytes from the offset; fewer only where the file ends."""
        parts = []
        while size_bytes > 0:
            part = os.pread(descriptor, size_bytes, offset)
            if not part:
                break
            parts.append(part)
            size_bytes -= len(part)
            offset += len(part)
        return parts[0] if len(parts) == 1 else b"".join(parts)

    def read_into(self, descriptor: int, view: memoryview, offset: int) -> int:
        """Fill the view from the offset on and return how many bytes there were; fewer only where the file ends."""
        done = 0
        while done < len(view):
            count = os.preadv(descriptor, [view[done:]], offset + done)
            if count == 0:
                break
            done += count
        return done

    def write_at(self, descriptor: int, data: bytes, offset: int) -> None:
        """Write all of the data at the offset."""
        self.write_view(descriptor, memoryview(data), offset)

    def write_view(self, descriptor: int, view: memoryview, offset: int) -> None:
        """Write all of a view, which may be of memory that others use again, at the offset."""
        while view:
            written = os.pwrite(descriptor, view, offset)
            if written <= 0:
                raise OSError(errno.EIO, "a write made no progress")
            view = view[written:]
            offset += written

    def bypass_cache(self, descriptor: int, *, bypass: bool) -> bool:
        """Let writes go around the page cache, or no more; return whether they do now, which not every disk can.

        What goes around must be whole pages, in memory and in the file. It needs to be synced all the same.
        Source: open(2), O_DIRECT.
        """
        flags = fcntl.fcntl(descriptor, fcntl.F_GETFL)
        try:
            fcntl.fcntl(descriptor, fcntl.F_SETFL, flags | os.O_DIRECT if bypass else flags & ~os.O_DIRECT)
        except OSError:
            if not bypass:
                raise
            return False
        return bypass

    def truncate(self, descriptor: int, size_bytes: int) -> None:
        os.ftruncate(descriptor, size_bytes)

    def sync(self, descriptor: int) -> None:
        """Make a file's bytes and size durable. A failure must never be followed by a second try.

        Source: after a failed fsync Linux marks the lost pages clean, so the next fsync succeeds with the data gone.
        """
        os.fsync(descriptor)

    def sync_data(self, descriptor: int) -> None:
        """Make a file's bytes and size durable, its times not. As ``sync``, never to be tried again."""
        os.fdatasync(descriptor)

    def sync_folder(self, folder: Path) -> None:
        """Make a folder's entries durable: a rename or an unlink is on disk only when its folder is."""
        descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)

    def make_folder(self, folder: Path) -> None:
        """Make a folder and the parents it lacks, each of them durable."""
        if folder.is_dir():
            return
        self.make_folder(folder.parent)
        folder.mkdir(exist_ok=True)
        self.sync_folder(folder.parent)

    def names(self, folder: Path) -> list[str]:
        """Return the names in a folder, sorted; none where there is no such folder."""
        try:
            return sorted(entry.name for entry in folder.iterdir())
        except FileNotFoundError:
            return []

    def rename(self, source: Path, destination: Path) -> None:
        """Rename, replacing what stands at the destination."""
        source.replace(destination)

    def link(self, source: Path, destination: Path) -> None:
        """Give a file a second name. Fails where the name is taken: it never replaces."""
        destination.hardlink_to(source)

    def unlink(self, path: Path) -> None:
        """Remove a name; nothing happens where there is none."""
        path.unlink(missing_ok=True)

    def clone(self, source: int, destination: int) -> None:
        """Let the destination share all blocks of the source, on file systems that can."""
        fcntl.ioctl(destination, _FICLONE, source)

    def copy(self, source: int, destination: int, size_bytes: int) -> None:
        """Copy that many bytes from the start of the source to the start of the destination."""
        done = 0
        while done < size_bytes:
            part = self.read_at(source, min(1 << 20, size_bytes - done), done)
            if not part:
                raise OSError(errno.EIO, "the file ended while it was copied")
            self.write_at(destination, part, done)
            done += len(part)

    def copy_range(self, source: int, destination: int, size_bytes: int, *, start: int, offset: int) -> None:
        """Copy that many bytes from one file at ``start`` to another at ``offset``, inside the kernel where it can."""
        while size_bytes > 0:
            try:
                count = os.copy_file_range(source, destination, size_bytes, start, offset)
            except OSError as error:
                if error.errno not in _NO_COPY_RANGE:
                    raise
                part = self.read_at(source, min(256 << 10, size_bytes), start)
                self.write_at(destination, part, offset)
                count = len(part)
            if count == 0:
                raise OSError(errno.EIO, "the file ended while it was copied")
            size_bytes, start, offset = size_bytes - count, start + count, offset + count

    def set_mode(self, descriptor: int, mode: int) -> None:
        """Give a file these permission bits, whatever the umask is."""
        os.fchmod(descriptor, mode)

    def give(self, descriptor: int, facts: FileFacts, *, source: Path | None = None) -> None:
        """Give a file the owner, the group and the permission bits of another, and its attributes, where we may."""
        keep_attributes(descriptor, facts, source=source)

    def free_bytes(self, folder: Path) -> int:
        """Return how many bytes an ordinary user may still write there."""
        status = os.statvfs(folder)
        return status.f_bavail * status.f_frsize


REAL = Disk()
"""The machine's own disk."""
