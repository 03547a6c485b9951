"""The note beside a lock that tells people who holds it and how far it is. It is never the lock.

``<lock>.meta`` has one ``key=value`` a line. ``pid``, ``started`` and ``cmd`` come first and are spelled as the old
scripts spelled them; a file with only these is read too.
"""

import os
import pwd
import stat
import uuid
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path
from typing import ClassVar

from dce_play.errors import DcePlayError, ExitCode
from dce_play.system.clock import utc_stamp
from dce_play.system.durable.disk import REAL
from dce_play.system.durable.whole_files import replacing
from dce_play.system.foreign_text import blanked
from dce_play.system.identity import this_process

LONGEST_COMMAND = 500
_LONGEST_META_BYTES = 64 * 1024
_TEXTS = (
    *("started", "cmd", "host", "boot_id", "pidns", "user", "lock_id", "run_id", "step"),
    *("progress", "lock_file"),
)


_KINDS = (
    (stat.S_ISLNK, "symbolic link"),
    (stat.S_ISDIR, "folder"),
    (stat.S_ISFIFO, "FIFO"),
    (stat.S_ISSOCK, "socket"),
    (stat.S_ISCHR, "device"),
    (stat.S_ISBLK, "device"),
)


class LockUnusable(DcePlayError):
    """The lock file or its note cannot be opened or written."""

    exit_code: ClassVar[ExitCode] = ExitCode.PREFLIGHT

    def __init__(self, path: Path, *, reason: str, hint: str = "") -> None:
        self.path = path
        super().__init__(f"cannot lock {path}: {reason}", hint=hint)


@dataclass(frozen=True, slots=True, kw_only=True)
class LockMeta:
    """Who took the lock. Everything but the pid may be unknown, as the old scripts wrote less."""

    pid: int
    started: str = ""
    """UTC, ``2026-11-21T01:15:07Z``."""
    cmd: str = ""
    host: str = ""
    boot_id: str = ""
    pid_start: int | None = None
    """Clock ticks since boot at which the holder started."""
    pidns: str = ""
    user: str = ""
    lock_id: str = ""
    run_id: str = ""
    step: str = ""
    progress: str = ""
    """When the holder last got on with its work, as UTC; empty before it first did."""
    lock_file: str = ""
    """``device:inode`` of the file that is locked, by which it is known after its name was removed or replaced."""
    containers: tuple[str, ...] = ()
    """``engine:id`` of each container that writes for the holder; they inherit no lock."""


def meta_path(lock: Path) -> Path:
    """Return where the note of a lock file is."""
    return lock.with_name(lock.name + ".meta")


def own_meta(*, cmd: str, run_id: str, now: datetime, lock_file: str = "") -> LockMeta:
    """Return the note of this process, with a new lock id. ``cmd`` is masked already."""
    me = this_process()
    return LockMeta(
        pid=me.pid,
        started=utc_stamp(now),
        cmd=blanked(cmd)[:LONGEST_COMMAND],
        host=me.host,
        boot_id=me.boot_id,
        pid_start=me.pid_start,
        pidns=me.pidns,
        user=_user_name(),
        lock_id=str(uuid.uuid4()),
        run_id=run_id,
        lock_file=lock_file,
    )


def encode_meta(meta: LockMeta) -> bytes:
    """Return the note as the bytes of its file."""
    lines = [f"pid={meta.pid}", f"started={meta.started}", f"cmd={meta.cmd}"]
    lines += [f"host={meta.host}", f"boot_id={meta.boot_id}"]
    lines += [f"pid_start={'' if meta.pid_start is None else meta.pid_start}", f"pidns={meta.pidns}"]
    lines += [f"user={meta.user}", f"lock_id={meta.lock_id}", f"run_id={meta.run_id}", f"step={meta.step}"]
    lines += [f"progress={meta.progress}", f"lock_file={meta.lock_file}"]
    lines += [f"container={container}" for container in meta.containers]
    return "".join(blanked(line) + "\n" for line in lines).encode()


def decode_meta(data: bytes) -> LockMeta | None:
    """Return what a note says, or ``None`` when it names no pid: an empty or torn file tells nothing."""
    pairs = [line.partition("=")[::2] for line in data.decode(errors="replace").splitlines()]
    values = {key: blanked(value) for key, value in pairs}
    pid = _number(values.get("pid", ""))
    if not pid:
        return None
    return LockMeta(
        pid=pid,
        pid_start=_number(values.get("pid_start", "")),
        containers=tuple(value for key, value in pairs if key == "container" and value),
        **{name: values[name] for name in _TEXTS if name in values},
    )


def read_meta(lock: Path) -> LockMeta | None:
    """Return the note of a lock, or ``None`` when there is none that can be read and names a pid."""
    try:
        descriptor = os.open(meta_path(lock), os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_NOCTTY | os.O_CLOEXEC)
    except OSError:
        return None
    try:
        if not stat.S_ISREG(os.fstat(descriptor).st_mode):
            return None
        return decode_meta(os.read(descriptor, _LONGEST_META_BYTES))
    except OSError:
        return None
    finally:
        os.close(descriptor)


def check_places(lock: Path) -> None:
    """Refuse a lock or a note that is not a regular file: reading a FIFO would wait, a folder holds nothing.

    Raises: LockUnusable.
    """
    for path in (lock, meta_path(lock)):
        try:
            mode = path.lstat().st_mode
        except OSError:
            continue  # nothing there; or it cannot be looked at, which opening it will tell
        if not stat.S_ISREG(mode):
            kind = next((name for is_kind, name in _KINDS if is_kind(mode)), "something else")
            raise LockUnusable(
                path, reason=f"it is a {kind}, not a regular file", hint="look at it; remove it if nobody needs it"
            )


def write_meta(lock: Path, meta: LockMeta, *, durable: bool) -> None:
    """Write the note, whole or not at all. Only the holder of the lock may call it."""
    with replacing(meta_path(lock), mode=0o644, durable=durable) as new:  # ours, whoever wrote the one before
        REAL.write_at(new.descriptor, encode_meta(meta), 0)


def remove_meta(lock: Path, lock_id: str) -> None:
    """Remove the note if it is the one with this id. Only the holder of the lock may call it."""
    meta = read_meta(lock)
    if meta is not None and meta.lock_id == lock_id:
        meta_path(lock).unlink(missing_ok=True)


def with_step(meta: LockMeta, step: str) -> LockMeta:
    """Return the note with another step."""
    return replace(meta, step=blanked(step))


def _user_name() -> str:
    try:
        return pwd.getpwuid(os.geteuid()).pw_name
    except KeyError:
        return str(os.geteuid())


def _number(text: str) -> int | None:
    return int(text) if text.isascii() and text.isdecimal() and len(text) <= 18 else None
