"""What a file that is written anew keeps of the old one: owner, group, mode, access lists and extended attributes.

What the kernel does not let this user keep is left, told once, and never makes the new file open to more people:
where the group could not be kept, the new group gets no more than everybody has.
"""

import errno
import os
from functools import cache
from pathlib import Path
from typing import Protocol

_MAY_NOT = frozenset({errno.EPERM, errno.EACCES, errno.EINVAL, errno.EROFS, errno.EOPNOTSUPP, errno.ENODATA})
_SET_IDS = 0o6000


class Owned(Protocol):
    """Whose a file is, and who may use it."""

    @property
    def mode(self) -> int:
        """Return the permission bits."""

    @property
    def uid(self) -> int:
        """Return the owner."""

    @property
    def gid(self) -> int:
        """Return the group."""


def keep_attributes(descriptor: int, like: Owned, *, source: Path | None = None) -> tuple[str, ...]:
    """Give an open new file what the old one has, as far as we may; return what could not be kept, in words.

    ``source`` is where the old file stands, for its access lists and extended attributes.

    Raises: OSError, for anything but a refusal.
    """
    lost: list[str] = []
    mine = os.fstat(descriptor)
    owner_kept = mine.st_uid == like.uid or _owns(descriptor, like.uid, -1)
    group_kept = mine.st_gid == like.gid or _owns(descriptor, -1, like.gid)
    if not owner_kept:
        lost.append(f"owner {like.uid}")
    if not group_kept:
        lost.append(f"group {like.gid}")
    if source is not None:
        lost += _copy_attributes(descriptor, source)
    os.fchmod(descriptor, narrowed(like.mode, owner_kept=owner_kept, group_kept=group_kept))
    if lost:
        _tell(", ".join(lost), str(source.parent) if source is not None else "")
    return tuple(lost)


def narrowed(mode: int, *, owner_kept: bool, group_kept: bool) -> int:
    """Return the mode that lets nobody do more than before, although owner or group changed."""
    if not group_kept:
        mode = mode & ~0o070 | (mode & 0o070 & (mode & 0o007) << 3)
    return mode if owner_kept and group_kept else mode & ~_SET_IDS


def _owns(descriptor: int, uid: int, gid: int) -> bool:
    try:
        os.fchown(descriptor, uid, gid)
    except OSError as error:
        if error.errno not in _MAY_NOT:
            raise
        return False
    return True


def _copy_attributes(descriptor: int, source: Path) -> list[str]:
    """Copy access lists and extended attributes; return those that could not be. Security labels are the system's."""
    if not hasattr(os, "listxattr"):
        return []
    lost: list[str] = []
    try:
        names = os.listxattr(source)
    except OSError as error:
        if error.errno in _MAY_NOT or error.errno == errno.ENOENT:
            return []
        raise
    for name in names:
        if name.startswith("security."):
            continue
        try:
            os.setxattr(descriptor, name, os.getxattr(source, name))
        except OSError as error:
            if error.errno not in _MAY_NOT:
                raise
            lost.append(f"attribute {name}")
    return lost


@cache
def _tell(lost: str, place: str) -> None:
    """Say it once for a folder: a thousand files that are written anew have one and the same trouble."""
    import logging  # start-up time: hardly anybody is ever told

    where = f" in {place}" if place else ""
    told = "warning: files written anew%s could not keep their %s; nobody may do more with them"
    logging.getLogger("dce-play").warning(told, where, lost)
