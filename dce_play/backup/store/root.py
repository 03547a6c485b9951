"""backup_root: a folder that nobody but us may look into, and the locks in it."""

import errno
import os
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from dce_play.backup.errors import BackupError, ErrorId
from dce_play.system.durable.whole_files import sync_folder
from dce_play.system.lock.file_lock import FileBusy, flock_file

OURS = ".dce-backup"
"""The folder of locks and notes in backup_root."""
_SHARED = 0o077


def make_safe_root(root: Path) -> None:
    """Make backup_root, 0700, if it is missing; refuse one that others may look into.

    Raises: BackupError (``unsafe-root``).
    """
    _make(root)
    check_safe_root(root)
    folder = root / OURS
    _make(folder)
    _check(folder)


def check_safe_root(root: Path) -> None:
    """Refuse a backup_root that is not ours alone; a missing one is safe. Touches nothing.

    Raises: BackupError (``unsafe-root``).
    """
    if os.path.lexists(root):
        _check(root)


@contextmanager
def module_lock(root: Path, module: str) -> Iterator[None]:
    """Hold a module's lock; backup_root is safe already.

    Raises: BackupError: ``lock-held``; ``unsafe-root``, for a link in the lock's place, which is not followed.
    """
    path = root / OURS / f"{module}.lock"
    try:
        os.close(os.open(path, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600))
    except OSError as error:
        if error.errno != errno.ELOOP:
            raise
        raise BackupError(
            ErrorId.UNSAFE_ROOT, f"{path} is a symbolic link", hint="no lock of ours is one: see who made it; remove it"
        ) from error
    try:
        with flock_file(path):
            yield
    except FileBusy as error:
        if error.path != path:
            raise
        raise BackupError(
            ErrorId.LOCK_HELD,
            f"another backup command works on {module}",
            hint="wait until it has ended; the lock is the kernel's, no file is ever to be removed",
        ) from error


def _make(folder: Path) -> None:
    if os.path.lexists(folder):
        return
    missing = [each for each in (folder, *folder.parents) if not os.path.lexists(each)]
    try:
        for each in reversed(missing):
            each.mkdir(mode=0o700, exist_ok=True)
            each.chmod(0o700)
            sync_folder(each.parent)
    except OSError as error:
        raise BackupError(
            ErrorId.UNSAFE_ROOT, f"{folder} cannot be made: {(error.strerror or str(error)).lower()}"
        ) from error


def _check(folder: Path) -> None:
    status = folder.lstat()
    mine = os.geteuid()
    if stat.S_ISLNK(status.st_mode):
        raise BackupError(
            ErrorId.UNSAFE_ROOT, f"{folder} is a symbolic link", hint="name the folder itself with --backup-root"
        )
    if not stat.S_ISDIR(status.st_mode):
        raise BackupError(ErrorId.UNSAFE_ROOT, f"{folder} is not a folder")
    if status.st_uid != mine:
        raise BackupError(
            ErrorId.UNSAFE_ROOT,
            f"{folder} belongs to uid {status.st_uid}, and we are uid {mine}",
            hint=f"run it as its owner, or name another with --backup-root: chown {mine} {folder}",
        )
    if status.st_mode & _SHARED:
        raise BackupError(
            ErrorId.UNSAFE_ROOT,
            f"{folder} may be looked into by others (mode {stat.S_IMODE(status.st_mode):04o})",
            hint=f"chmod 700 {folder}",
        )
