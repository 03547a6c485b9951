"""The one writer of backups: ``.part`` → fsync → manifest → rename → fsync of the folder.

Until ``publish`` nothing has the backup's name; after it both files have, durably. ``discard`` leaves nothing.
"""

import errno
import hashlib
import os
from contextlib import suppress
from pathlib import Path

from dce_play.backup.errors import BackupError, ErrorId
from dce_play.backup.store.names import manifest_name, part_name
from dce_play.errors import ExitCode
from dce_play.system.disk import FULL, write_hint
from dce_play.system.durable.whole_files import sync_folder, write_atomic


class PartFile:
    """A backup that is being written. A ``Sink``; sums and size are of the stored bytes."""

    def __init__(self, root: Path, name: str) -> None:
        """Begin the file ``.<name>.part``, 0600 whatever the umask.

        Raises: BackupError (``write-failed``, ``no-space``).
        """
        self.name = name
        self.root = root
        self.path = root / part_name(name)
        self.size_bytes = 0
        self._sum = hashlib.sha256()
        flags = os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
        try:
            self._descriptor = os.open(self.path, flags, 0o600)
            os.fchmod(self._descriptor, 0o600)
        except OSError as error:
            raise write_error(error, self.path) from error

    @property
    def final(self) -> Path:
        """Return the path that the backup will have."""
        return self.root / self.name

    @property
    def sha256(self) -> str:
        return self._sum.hexdigest()

    def write(self, data: "bytes | memoryview", /) -> None:
        view = memoryview(data)
        try:
            while view:
                count = os.write(self._descriptor, view)
                self._sum.update(view[:count])
                self.size_bytes += count
                view = view[count:]
        except OSError as error:
            raise write_error(error, self.path) from error

    def finish(self) -> None:
        """Make the bytes durable, and forget the kernel's copies of them, so that a reading comes from the disk."""
        try:
            os.fsync(self._descriptor)
        except OSError as error:
            raise write_error(error, self.path) from error
        with suppress(OSError):
            os.posix_fadvise(self._descriptor, 0, 0, os.POSIX_FADV_DONTNEED)

    def publish(self, manifest: bytes) -> None:
        """Give the manifest and then the data their names.

        Raises: BackupError (``write-failed``, ``no-space``); then neither is there.
        """
        beside = self.root / manifest_name(self.name)
        try:
            for path in (beside, self.final):
                if os.path.lexists(path):
                    raise FileExistsError(errno.EEXIST, "somebody else's file has our name", str(path))
            write_atomic(beside, manifest, mode=0o600)
            self.path.rename(self.final)
            sync_folder(self.root)
        except OSError as error:
            if error.errno != errno.EEXIST:
                beside.unlink(missing_ok=True)
                self.final.unlink(missing_ok=True)
            raise write_error(error, self.final) from error
        self._close()

    def abort(self) -> None:
        """Remove what was written. May be called after anything but ``publish``."""
        with suppress(OSError):
            self.path.unlink(missing_ok=True)
        self._close()

    def _close(self) -> None:
        if self._descriptor >= 0:
            os.close(self._descriptor)
            self._descriptor = -1


def write_error(error: OSError, path: Path) -> BackupError:
    """Return what an operator understands of a failed write."""
    reason = (error.strerror or str(error)).lower()
    hint = write_hint(
        error,
        full="make room, or name another place with --backup-root; the backups that were there are untouched",
        other="",
    )
    if error.errno in FULL:
        return BackupError(ErrorId.NO_SPACE, f"no room for {path}: {reason}", hint=hint, exit_code=ExitCode.FAILED)
    return BackupError(ErrorId.WRITE_FAILED, f"cannot write {path}: {reason}", hint=hint)
