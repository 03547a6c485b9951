"""A BGSAVE watched to its end: the file on the disk is the one that this very save has written.

``rdb_saves`` counts saves that have begun, also those that fail, and a failed save leaves the older file, which passes
every check. So a save is done when none is under way, the last one was ``ok``, and the file is another one than before.
Source: redis 7.0, ``src/rdb.c`` (rdbSaveBackground, backgroundSaveDoneHandler); seen with a server that may not write.
"""

from pathlib import Path

import msgspec

from dce_play.backup.engines.redis.link import Link, in_the_middle
from dce_play.backup.errors import BackupError, ErrorId

_FIRST_POLL_S = 0.02
_SLOWEST_POLL_S = 1.0
_STARTED = "Background saving started"
_BUSY = ("already in progress", "rewriting in progress", "another child process")


class FileIdentity(msgspec.Struct, frozen=True):
    """What tells one file from another under the same name."""

    device: int
    inode: int
    mtime_ns: int
    bytes: int


class Before(msgspec.Struct, frozen=True, kw_only=True):
    """What was there before our save."""

    file: FileIdentity | None
    saves: int | None
    """``rdb_saves``; ``None`` where the server does not count them (6.x)."""
    last_save: int


def identity(path: Path) -> FileIdentity | None:
    """Return what a file is now; ``None`` where there is none."""
    try:
        found = path.lstat()
    except FileNotFoundError:
        return None
    return FileIdentity(found.st_dev, found.st_ino, found.st_mtime_ns, found.st_size)


def save(link: Link, path: Path) -> None:
    """Let the server write its snapshot, and return once the file at ``path`` is that snapshot.

    Raises: BackupError (``engine-failed``, ``forbidden``, ``unreachable``).
    """
    before = _begin(link, path)
    try:
        after = _wait_idle(link)
        _judge(link, before, after, identity(path))
    except BackupError as error:
        raise in_the_middle(error) from error


def _begin(link: Link, path: Path) -> Before:
    """Start a save of our own: one that is under way is waited for, and not counted."""
    while True:
        info = _wait_idle(link)
        saves = info.get("rdb_saves")
        last_save = int(info.get("rdb_last_save_time", "0"))
        before = Before(file=identity(path), saves=None if saves is None else int(saves), last_save=last_save)
        if before.saves is None:
            _wait_past(link, last_save)
        try:
            answer = link.ask("BGSAVE")
        except BackupError as error:
            if any(word in str(error) for word in _BUSY):
                continue
            raise
        if answer.startswith(_STARTED):
            return before
        if not any(word in answer for word in (*_BUSY, "scheduled")):
            raise BackupError(ErrorId.ENGINE_FAILED, f"{link.where}: BGSAVE: {answer}")


def _wait_idle(link: Link) -> dict[str, str]:
    """Return INFO once no child of the server's writes."""
    clock = link.services.clock
    pause_s = _FIRST_POLL_S
    while True:
        info = link.info("persistence")
        busy = [name for name in ("rdb_bgsave_in_progress", "aof_rewrite_in_progress") if info.get(name, "0") != "0"]
        if not busy:
            return info
        clock.sleep(pause_s)
        pause_s = min(_SLOWEST_POLL_S, pause_s * 1.5)


def _wait_past(link: Link, second: int) -> None:
    """Wait until the server's clock is past a second, as LASTSAVE tells no finer."""
    while int(link.ask("TIME").split("\n")[0]) <= second:
        link.services.clock.sleep(0.1)


def _judge(link: Link, before: Before, after: dict[str, str], file: FileIdentity | None) -> None:
    status = after.get("rdb_last_bgsave_status")
    if status != "ok":
        raise BackupError(
            ErrorId.ENGINE_FAILED,
            f"{link.where}: BGSAVE failed (rdb_last_bgsave_status:{status}); the file on the disk is an older one",
            hint="the server's log says why: no room, no right to write, or no memory to fork",
        )
    if file is None or file == before.file:
        raise BackupError(
            ErrorId.ENGINE_FAILED,
            f"{link.where}: BGSAVE says it is done, but the file in the data folder is not a new one",
            hint="does redis.data_folder name the folder that CONFIG GET dir tells?",
        )
    if before.saves is not None and int(after.get("rdb_saves", "0")) <= before.saves:
        raise BackupError(ErrorId.ENGINE_FAILED, f"{link.where}: BGSAVE was answered, but no save has begun")
    if before.saves is None and int(after.get("rdb_last_save_time", "0")) <= before.last_save:
        raise BackupError(ErrorId.ENGINE_FAILED, f"{link.where}: BGSAVE was answered, but LASTSAVE has not changed")
