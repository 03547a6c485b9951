"""The append-only files, opened while the server may not rewrite them.

The setting that forbids it is set back in every case: by a guard process, when we ask it to and when we are killed.
"""

import os
import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import msgspec

from dce_play.backup.engines.redis.link import Link, in_the_middle
from dce_play.backup.errors import BackupError, ErrorId
from dce_play.errors import DcePlayError, ExitCode
from dce_play.system.process.executor import Command
from dce_play.system.process.undo_guard import UndoGuard

_SETTING = "auto-aof-rewrite-percentage"
_TRIES = 3
_FILE = re.compile(r'file ("[^"]*"|\S+) seq \d+ type ([bih])')
_OPEN = os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC


class OpenFile(msgspec.Struct, frozen=True, kw_only=True):
    """An open file, and its name below the data folder. A log grows: ``size`` is what it had when it was opened."""

    name: str
    descriptor: int
    status: os.stat_result


@contextmanager
def rewriting_held(link: Link) -> Iterator[None]:
    """Keep the server from rewriting its append-only files while the block runs.

    Raises: BackupError, also when the setting could not be set back.
    """
    before = link.setting(_SETTING)
    if before in {None, "0"}:
        yield
        return
    undo = link.command("CONFIG", "SET", _SETTING, str(before))
    with UndoGuard(link.services.streams, link.services.executor, max_s=7 * 24 * 3600.0) as guard:
        try:
            # The password goes through the guard's pipe: in its environment it could be read as long as it runs.
            _promise(guard, undo)
            link.ask("CONFIG", "SET", _SETTING, "0")
            yield
        finally:
            said = "; ".join(guard.undo().failed)
            if link.setting(_SETTING) != before:  # a client that is refused may end with exit code 0
                raise BackupError(
                    ErrorId.ENGINE_FAILED,
                    f"{link.where}: {_SETTING} could not be set back: {said}".removesuffix(": "),
                    hint=f"redis-cli CONFIG SET {_SETTING} {before}",
                    exit_code=ExitCode.FAILED,
                )


def _promise(guard: UndoGuard, undo: Command) -> None:
    try:
        guard.promise(undo.argv, env=undo.env)
    except DcePlayError as error:
        raise BackupError(ErrorId.ENGINE_FAILED, f"{_SETTING} was left as it is: {error}") from error


def await_no_rewrite(link: Link) -> None:
    """Wait until no rewrite is under way or due.

    Raises: BackupError.
    """
    while True:
        info = link.info("persistence")
        if info.get("aof_rewrite_in_progress", "0") == "0" and info.get("aof_rewrite_scheduled", "0") == "0":
            return
        link.services.clock.sleep(0.2)


@contextmanager
def append_only_files(link: Link, folder: Path) -> Iterator[list[OpenFile]]:
    """Open the files that make up the append-only log now, while the block runs. Only while rewriting is held.

    Raises: BackupError (``changed`` when they do not hold still, ``not-found``, ``write-failed``).
    """
    opened: list[OpenFile] = []
    try:
        for _ in range(_TRIES):
            await_no_rewrite(link)
            names = _names(link, folder)
            opened = [open_below(folder, name) for name in names]
            if _names(link, folder) == names:
                break
            _close(opened)
        else:
            raise BackupError(ErrorId.CHANGED, f"{link.where}: the append-only files change faster than they are read")
        yield opened
    finally:
        _close(opened)


def _close(opened: list[OpenFile]) -> None:
    for each in opened:
        os.close(each.descriptor)
    opened.clear()


def _names(link: Link, folder: Path) -> list[str]:
    """Return the log's files, the list of them last, as names below the data folder."""
    name = link.setting("appendfilename") or "appendonly.aof"
    below = link.setting("appenddirname")
    if below is None:
        return [name]  # a server before 7 has one file
    manifest = f"{below}/{name}.manifest"
    text = read_below(folder, manifest).decode("utf-8", "surrogateescape")
    files = [found[1].strip('"') for found in _FILE.finditer(text) if found[2] != "h"]
    return [*(f"{below}/{file}" for file in files), manifest]


def read_below(folder: Path, name: str) -> bytes:
    """Return a small file of the data folder.

    Raises: BackupError.
    """
    opened = open_below(folder, name)
    try:
        return os.read(opened.descriptor, 1 << 20)
    finally:
        os.close(opened.descriptor)


def open_below(folder: Path, name: str) -> OpenFile:
    """Open a file of the data folder, once; a link is not followed.

    Raises: BackupError (``not-found``).
    """
    path = folder / name
    try:
        descriptor = os.open(path, _OPEN)
    except OSError as error:
        raise in_the_middle(
            BackupError(ErrorId.NOT_FOUND, f"cannot read {path}: {(error.strerror or str(error)).lower()}")
        ) from error
    return OpenFile(name=name, descriptor=descriptor, status=os.fstat(descriptor))
