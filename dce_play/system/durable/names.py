"""Names that change durably: a file or folder that moves, one that takes a free name, one that goes away.

A rename, a link and an unlink are on disk only when the folders they touch are; each function here syncs them, the
new name before the old one goes, so that a power loss leaves one of the two or both and never none.
"""

import errno
import os
from pathlib import Path

from dce_play.system.durable.disk import REAL, Disk

NO_LINK = frozenset({errno.EPERM, errno.EOPNOTSUPP, errno.EXDEV, errno.EMLINK, errno.ENOSYS})
"""What ``link(2)`` says where the file system, or these two folders, cannot have it."""


def link_new(source: Path, name: Path, *, disk: Disk = REAL) -> None:
    """Give a finished file a second name that must be free, durably. Its first name stays.

    Its bytes are synced before. What stands under the name already is never replaced and never touched.

    Raises: FileExistsError, when the name is taken; OSError, one of ``NO_LINK`` where links cannot be had.
    """
    descriptor = disk.open(source, os.O_RDONLY)
    try:
        disk.sync(descriptor)
        disk.link(source, name)
    finally:
        disk.close(descriptor)
    disk.sync_folder(name.parent)


def move(source: Path, destination: Path, *, disk: Disk = REAL) -> None:
    """Rename a file or a folder durably within one file system; an existing file at the destination is replaced.

    What the file or folder holds is not synced: that is for who wrote it.

    Raises: OSError; ENOTEMPTY or EEXIST where a folder that is not empty stands at the destination.
    """
    disk.rename(source, destination)
    disk.sync_folder(destination.parent)
    if source.parent != destination.parent:
        disk.sync_folder(source.parent)


def remove(path: Path, *, disk: Disk = REAL) -> None:
    """Remove a file's name durably; nothing happens where there is none."""
    disk.unlink(path)
    disk.sync_folder(path.parent)
