"""An episode on disk: what is in it, whether its writer has finished, and the seal that says it is still the same."""

import hashlib
import os
import stat
from enum import StrEnum
from pathlib import Path
from typing import Any

import msgspec

from dce_play.errors import DcePlayError
from dce_play.transfer.ids import is_commit

META = "meta.json"
REASON = "quarantine_reason.json"
_SHOWN_PATH = 200


class UnsafeMember(DcePlayError):
    """Something in an episode is neither a regular file nor a folder, or its name is not UTF-8."""

    def __init__(self, path: bytes, what: str) -> None:
        self.what = what
        self.member = path.decode("utf-8", errors="backslashreplace")[:_SHOWN_PATH]
        super().__init__(f"{self.member} is {what}")


class FileFacts(msgspec.Struct, frozen=True, kw_only=True):
    """What the kernel knows of one file of an episode."""

    path: bytes
    """Below the episode."""
    size: int
    mtime_ns: int
    inode: int
    executable: bool


class Tree(msgspec.Struct, frozen=True, kw_only=True):
    """Everything in an episode but a reason file at its top. Folders are below the top, without a slash at the end."""

    files: tuple[FileFacts, ...]
    folders: tuple[bytes, ...]

    @property
    def size(self) -> int:
        return sum(file.size for file in self.files)


def walk(episode: Path) -> Tree:
    """List an episode. Nothing is opened but folders, and no link is followed.

    Raises: UnsafeMember; OSError, also when something vanishes meanwhile.
    """
    files: list[FileFacts] = []
    folders: list[bytes] = []
    waiting = [b""]
    top = os.fsencode(episode)
    while waiting:
        below = waiting.pop()
        with os.scandir(os.path.join(top, below) if below else top) as entries:  # noqa: PTH118 - bytes, not text
            for entry in entries:
                path = below + b"/" + entry.name if below else entry.name
                if path == REASON.encode():
                    continue
                status = entry.stat(follow_symlinks=False)
                _refuse(path, status.st_mode)
                if stat.S_ISDIR(status.st_mode):
                    folders.append(path)
                    waiting.append(path)
                else:
                    files.append(_facts(path, status))
    return Tree(files=tuple(sorted(files, key=lambda file: file.path)), folders=tuple(sorted(folders)))


def seal_of(tree: Tree) -> str:
    """Return the digest over path, size, mtime and inode of every file and the path of every folder."""
    digest = hashlib.sha256()
    for file in tree.files:
        digest.update(b"%b\0%d\0%d\0%d\n" % (file.path, file.size, file.mtime_ns, file.inode))
    for folder in tree.folders:
        digest.update(folder + b"/\n")
    return "sha256:" + digest.hexdigest()


class MetaState(StrEnum):
    """What became of reading ``meta.json``."""

    MISSING = "missing"
    BROKEN = "broken"
    """It does not parse, or is no object."""
    GOOD = "good"


class Meta(msgspec.Struct, frozen=True, kw_only=True):
    """What we read of ``meta.json``."""

    state: MetaState
    commit: str | None = None
    """40 lower-case hex digits; ``None`` makes the episode unstamped."""
    host_id: str | None = None


def read_meta(episode: Path) -> Meta:
    """Read ``meta.json``. A link in its place is not followed and counts as missing: the walk tells of it.

    Raises: OSError, when it is there and cannot be read.
    """
    try:
        descriptor = os.open(episode / META, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    except (FileNotFoundError, NotADirectoryError):
        return Meta(state=MetaState.MISSING)
    except OSError:
        if (episode / META).is_symlink():
            return Meta(state=MetaState.MISSING)
        raise
    with open(descriptor, "rb") as file:  # noqa: PTH123 - a descriptor
        if not stat.S_ISREG(os.fstat(descriptor).st_mode):
            return Meta(state=MetaState.MISSING)
        data = file.read()
    try:
        value: Any = msgspec.json.decode(data)
    except (msgspec.DecodeError, RecursionError, UnicodeDecodeError):
        return Meta(state=MetaState.BROKEN)
    if not isinstance(value, dict):
        return Meta(state=MetaState.BROKEN)
    version = value.get("code_version")
    commit = version.get("commit") if isinstance(version, dict) else None
    host = value.get("host_id")
    return Meta(
        state=MetaState.GOOD,
        commit=commit if is_commit(commit) else None,
        host_id=host if isinstance(host, str) else None,
    )


def changed_within(episode: Path, seconds: float, *, now_ns: int) -> bool:
    """Return whether anything in the folder, or the folder itself, was changed so shortly before now.

    A time that lies as far ahead counts as long ago: it was written under a clock that was wrong.

    Raises: OSError, also when something vanishes meanwhile.
    """
    waiting = [os.fsencode(episode)]
    while waiting:
        folder = waiting.pop()
        if _is_within(Path(os.fsdecode(folder)).lstat().st_mtime_ns, seconds, now_ns):
            return True
        with os.scandir(folder) as entries:
            for entry in entries:
                if entry.is_dir(follow_symlinks=False):
                    waiting.append(entry.path)
                elif _is_within(entry.stat(follow_symlinks=False).st_mtime_ns, seconds, now_ns):
                    return True
    return False


def _is_within(mtime_ns: int, seconds: float, now_ns: int) -> bool:
    return abs(now_ns - mtime_ns) < seconds * 1e9


def _refuse(path: bytes, mode: int) -> None:
    kinds = {stat.S_IFLNK: "a link", stat.S_IFSOCK: "a socket", stat.S_IFIFO: "a fifo"}
    if not stat.S_ISREG(mode) and not stat.S_ISDIR(mode):
        raise UnsafeMember(path, kinds.get(stat.S_IFMT(mode), "a device"))
    try:
        path.decode("utf-8")
    except UnicodeDecodeError as error:
        raise UnsafeMember(path, "no UTF-8 name") from error


def _facts(path: bytes, status: os.stat_result) -> FileFacts:
    return FileFacts(
        path=path,
        size=status.st_size,
        mtime_ns=status.st_mtime_ns,
        inode=status.st_ino,
        executable=bool(status.st_mode & stat.S_IXUSR),
    )
