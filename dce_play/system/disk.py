"""File systems: how much room there is, where they are mounted, and of what kind they are."""

import errno
import os
from dataclasses import dataclass
from pathlib import Path

from dce_play.errors import DcePlayError

_NETWORK = frozenset({
    "9p", "afs", "ceph", "cifs", "fuse.ceph", "fuse.cephfs", "fuse.gcsfuse", "fuse.glusterfs", "fuse.rclone",
    "fuse.s3fs", "fuse.sshfs", "gfs2", "glusterfs", "lustre", "ncpfs", "nfs", "nfs4", "ocfs2", "smb3", "smbfs",
})  # fmt: skip


FULL = frozenset({errno.ENOSPC, errno.EDQUOT})
"""Error numbers of a disk that is full and of a quota that is used up: free space helps."""
NO_ROOM = FULL | {errno.EFBIG}
"""And of a file that may not grow."""


MAY_NOT_GROW = "free space does not help: raise the limit on the size of files, ulimit -f"


def growth_hint(error: OSError) -> str:
    """Return what helps a file that may not grow, in parentheses; empty where something else is the matter."""
    return f" ({MAY_NOT_GROW})" if error.errno == errno.EFBIG else ""


def write_hint(error: OSError, *, full: str, other: str) -> str:
    """Return what to do about a failed write: ``full`` when room helps, and its own when the file may not grow."""
    if error.errno == errno.EFBIG:
        return MAY_NOT_GROW
    return full if error.errno in FULL else other


def unwritten(error: OSError, near: Path) -> str:
    """Return what went wrong with which file; a write that fails does not say, and then it was ``near`` this."""
    return f"{error.strerror}: {error.filename or near}{growth_hint(error)}"


class NoSuchPlace(DcePlayError):
    """Neither a path nor any of its parents exists."""

    def __init__(self, path: Path) -> None:
        self.path = path
        super().__init__(f"{path} is on no file system")


@dataclass(frozen=True, slots=True, kw_only=True)
class Mount:
    """A mounted file system."""

    folder: Path
    kind: str
    """``ext4``, ``nfs4``, …; empty where the system does not tell."""

    @property
    def is_network(self) -> bool:
        """Return whether other machines may write here, whose locks the kernel does not know."""
        return self.kind in _NETWORK


@dataclass(frozen=True, slots=True, kw_only=True)
class DiskSpace:
    """How full the file system of a path is."""

    mount: Mount
    total_bytes: int
    free_bytes: int
    """What an ordinary user may still write: root's reserve is not counted."""

    @property
    def free_mib(self) -> int:
        return self.free_bytes // (1024 * 1024)


def disk_space(path: Path) -> DiskSpace:
    """Return the room on the file system of a path, or of its nearest parent that exists.

    Raises: NoSuchPlace.
    """
    existing = _nearest(path)
    usage = os.statvfs(existing)
    return DiskSpace(
        mount=mount_of(existing),
        total_bytes=usage.f_blocks * usage.f_frsize,
        free_bytes=usage.f_bavail * usage.f_frsize,
    )


def mount_of(path: Path) -> Mount:
    """Return the file system of a path, or of its nearest parent that exists.

    Raises: NoSuchPlace.
    """
    existing = _nearest(path).resolve()
    above = {str(folder) for folder in (existing, *existing.parents)}
    found = [mount for mount in _mounts() if mount[0] in above]
    if not found:
        return Mount(folder=next(folder for folder in (existing, *existing.parents) if folder.is_mount()), kind="")
    # The last of several at one place is the one that shows.
    folder, kind = max(reversed(found), key=lambda mount: len(mount[0]))
    return Mount(folder=Path(folder), kind=kind)


def _nearest(path: Path) -> Path:
    for folder in (path.absolute(), *path.absolute().parents):
        if folder.exists():
            return folder
    raise NoSuchPlace(path)


def _mounts() -> list[tuple[str, str]]:
    """Return the folder and the kind of each mount, in the order in which they were mounted."""
    try:
        text = Path("/proc/self/mountinfo").read_text(encoding="utf-8", errors="surrogateescape")
    except FileNotFoundError:
        return []
    mounts = []
    for line in text.splitlines():
        before, _, after = line.partition(" - ")
        mounts.append((_unescape(before.split(" ", 5)[4]), after.split(" ", 1)[0]))
    return mounts


def _unescape(text: str) -> str:
    """Undo the kernel's octal spelling of space, tab, newline and backslash in a mount's path."""
    if "\\" not in text:
        return text
    for code, character in (("\\040", " "), ("\\011", "\t"), ("\\012", "\n"), ("\\134", "\\")):
        text = text.replace(code, character)
    return text
