"""The archive root's lock: one writer at a time, whoever it is and wherever it was started from.

``with archive_lock(root, environment=os.environ, command="dce-play run proof").acquire(wait_s=600.0) as lock:``
holds it; programs that write the archive are given ``lock.fds``, so that the kernel keeps it until the last of them
is gone. It is the ``flock`` of ``<root>/.dce-scrape.lock`` and keeps out, and is kept out by, ``flock(1)``.
"""

import os
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import replace
from pathlib import Path
from threading import Lock
from types import TracebackType
from typing import ClassVar, Self

from dce_play.errors import DcePlayError, ExitCode
from dce_play.layout import LOCK_NAME, META_FOLDER, lock_path
from dce_play.system.clock import Clock, SystemClock
from dce_play.system.disk import mount_of
from dce_play.system.durable.whole_files import remove_leftovers
from dce_play.system.lock.file_lock import LONGEST_PAUSE_S, SHORTEST_PAUSE_S, open_locked
from dce_play.system.lock.held import LockHeld
from dce_play.system.lock.note import LockMeta, meta_path, own_meta, read_meta, remove_meta, with_step, write_meta
from dce_play.system.lock.status import Verdict, judge_meta, lock_status
from dce_play.system.process.containers import ContainerRuns, container_runs
from dce_play.system.process.executor import LocalExecutor
from dce_play.system.redact import Masker


class LockUnusable(DcePlayError):
    """The lock file cannot be opened or written."""

    exit_code: ClassVar[ExitCode] = ExitCode.PREFLIGHT

    def __init__(self, path: Path, *, reason: str, hint: str = "") -> None:
        self.path = path
        super().__init__(f"cannot lock {path}: {reason}", hint=hint)


class ContainerStillWrites(DcePlayError):
    """A container that an earlier run left behind may still write the archive."""

    exit_code: ClassVar[ExitCode] = ExitCode.LOCKED

    def __init__(self, container: str, *, answered: bool) -> None:
        self.container = container
        engine, _, identity = container.partition(":")
        state = "is still running" if answered else f"may still be running: {engine} does not answer"
        super().__init__(
            f"container {identity} of an earlier run {state}", hint=f"look at it and stop it: {engine} stop {identity}"
        )


class ArchiveLock:
    """The lock of one archive root. Not held until ``acquire``."""

    def __init__(
        self,
        path: Path,
        *,
        command: str,
        run_id: str = "",
        clock: Clock | None = None,
        warn: Callable[[str], None] = lambda _line: None,
        allow_network_fs: bool = False,
        container_runs: ContainerRuns = lambda _container: None,
    ) -> None:
        self.path = path
        self._command = command
        self._run_id = run_id
        self._clock = clock or SystemClock()
        self._warn = warn
        self._allow_network_fs = allow_network_fs
        self._container_runs = container_runs
        self._descriptor: int | None = None
        self._meta: LockMeta | None = None
        self._note_lock = Lock()

    def acquire(
        self,
        *,
        wait_s: float = 0.0,
        on_blocked: Callable[[LockHeld], None] = lambda _held: None,
        cancelled: Callable[[], bool] = lambda: False,
    ) -> Self:
        """Take the lock, waiting at most ``wait_s``; ``on_blocked`` is told once if there is something to wait for.

        A note that a dead run left is replaced, with a warning.

        Raises: LockHeld, also when cancelled; LockUnusable, FlockUnsupported, ContainerStillWrites.
        """
        self._prepare()
        deadline = self._clock.monotonic() + wait_s
        pause_s = SHORTEST_PAUSE_S
        told = False
        while (descriptor := self._try()) is None:
            if self._clock.monotonic() >= deadline or cancelled():
                raise LockHeld(lock_status(self.path), now=self._clock.now())
            if not told:
                on_blocked(LockHeld(lock_status(self.path), now=self._clock.now()))
                told = True
            self._clock.sleep(pause_s)
            pause_s = min(2 * pause_s, LONGEST_PAUSE_S)
        try:
            self._settle()
        except BaseException:
            os.close(descriptor)
            raise
        self._descriptor = descriptor
        return self

    def _prepare(self) -> None:
        try:
            self.path.parent.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise LockUnusable(self.path, reason=_words(error)) from error
        mount = mount_of(self.path.parent)
        if mount.is_network and not self._allow_network_fs:
            raise LockUnusable(
                self.path,
                reason=f"it is on a network file system ({mount.kind}), where locks of other hosts may not be seen",
                hint="name a lock file on a local disk with DCE_SCRAPE_LOCK_FILE, or allow it: network_fs: allow",
            )

    def _try(self) -> int | None:
        """Return the locked descriptor, or ``None`` while another has it."""
        try:
            return open_locked(self.path, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW)
        except PermissionError:
            pass  # another user's lock file: to lock it, reading it is enough
        except OSError as error:
            raise LockUnusable(self.path, reason=_words(error)) from error
        try:
            return open_locked(self.path, os.O_RDONLY | os.O_NOFOLLOW)
        except OSError as error:
            raise LockUnusable(self.path, reason=_words(error)) from error

    def _settle(self) -> None:
        """Replace the note of whoever had the lock before; the lock is held by now."""
        remove_leftovers(meta_path(self.path))
        before = read_meta(self.path)
        if before is not None:
            self._check_containers(before)
            self._warn(_farewell(before))
        self._meta = own_meta(cmd=self._command, run_id=self._run_id, now=self._clock.now())
        try:
            write_meta(self.path, self._meta, durable=True)
        except OSError as error:
            raise LockUnusable(meta_path(self.path), reason=_words(error)) from error

    def _check_containers(self, before: LockMeta) -> None:
        for container in before.containers:
            runs = self._container_runs(container)
            if runs is not False:
                raise ContainerStillWrites(container, answered=runs is not None)

    @property
    def fds(self) -> tuple[int, ...]:
        """Return what programs that write the archive must inherit (``Command.pass_fds``)."""
        return (self.fileno(),)

    def fileno(self) -> int:
        """Return the descriptor that holds the lock."""
        if self._descriptor is None:
            raise ValueError("the lock is not held")
        return self._descriptor

    def update_step(self, step: str, /) -> None:
        """Tell those who look which step is running."""
        self._note(lambda meta: with_step(meta, step))

    @contextmanager
    def note_container(self, container: str, /) -> Iterator[None]:
        """Tell the next run, while the block runs, of a container that writes the archive and inherits no lock.

        It is called ``engine:id``. Several threads may note containers at a time.
        """
        self._note(lambda meta: replace(meta, containers=(*meta.containers, container)), durable=True)
        try:
            yield
        finally:
            self._note(lambda meta: replace(meta, containers=tuple(c for c in meta.containers if c != container)))

    def _note(self, change: Callable[[LockMeta], LockMeta], *, durable: bool = False) -> None:
        with self._note_lock:
            if self._meta is None:
                return
            self._meta = change(self._meta)
            with suppress(OSError):  # the note is for people; a full disk must not end the run here
                write_meta(self.path, self._meta, durable=durable)

    def release(self) -> None:
        """Let go. The lock stays held while a program that inherited it lives; the lock file is never removed."""
        if self._descriptor is None:
            return
        descriptor, self._descriptor = self._descriptor, None
        with self._note_lock:
            meta, self._meta = self._meta, None
        try:
            if meta is not None:
                with suppress(OSError):  # as above; what stays is reclaimed by the next run
                    remove_meta(self.path, meta.lock_id)
        finally:
            os.close(descriptor)  # closed and not unlocked: unlocking would take it from our children too

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None, /
    ) -> None:
        self.release()


class SkippedLock:
    """No lock at all, as ``DCE_SKIP_SCRAPE_LOCK=1`` asks."""

    fds: tuple[int, ...] = ()

    def __init__(self, path: Path, *, warn: Callable[[str], None]) -> None:
        self.path = path
        self._warn = warn

    def acquire(
        self,
        *,
        wait_s: float = 0.0,  # noqa: ARG002 - the signature of ArchiveLock
        on_blocked: Callable[[LockHeld], None] = lambda _held: None,  # noqa: ARG002
        cancelled: Callable[[], bool] = lambda: False,  # noqa: ARG002
    ) -> Self:
        """Warn: nothing keeps a second run out now."""
        self._warn(f"WARN: DCE_SKIP_SCRAPE_LOCK=1: running without the scrape lock {self.path}.")
        return self

    def update_step(self, step: str, /) -> None:
        """Do nothing."""

    @contextmanager
    def note_container(self, container: str, /) -> Iterator[None]:  # noqa: ARG002 - the signature of ArchiveLock
        """Do nothing."""
        yield

    def release(self) -> None:
        """Do nothing."""

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None, /
    ) -> None:
        """Do nothing."""


def archive_lock(
    archive_root: Path,
    *,
    environment: Mapping[str, str],
    command: str,
    run_id: str = "",
    clock: Clock | None = None,
    warn: Callable[[str], None] = lambda _line: None,
    allow_network_fs: bool = False,
    runs: ContainerRuns | None = None,
) -> ArchiveLock | SkippedLock:
    """Return the lock of an archive root, not yet held.

    ``command`` goes into the note that everybody can read: mask it before. ``warn`` gets whole lines. ``runs`` tells of
    containers that a dead run noted; without it their engines are asked.
    """
    path = lock_path(archive_root, environment)
    if environment.get("DCE_SKIP_SCRAPE_LOCK") == "1":
        return SkippedLock(path, warn=warn)
    return ArchiveLock(
        path,
        command=command,
        run_id=run_id,
        clock=clock,
        warn=warn,
        allow_network_fs=allow_network_fs,
        container_runs=runs or container_runs(LocalExecutor(environment, Masker())),
    )


def guarding_root(path: Path) -> Path:
    """Return the folder whose lock guards a path, for a verb that is told no archive root.

    It is the outermost folder above the path that has a lock file, as that is the one that a run of the whole archive
    takes; without any, the nearest that has our records; else the path's own folder. A link to a file counts as the
    file.
    """
    place = path.absolute()
    if place.is_symlink() and not place.is_dir():
        place = place.resolve()
    start = place if place.is_dir() else place.parent
    above = (start, *start.parents)
    locked = [folder for folder in above if (folder / LOCK_NAME).is_file()]
    recorded = [folder for folder in above if (folder / META_FOLDER).is_dir()]
    return locked[-1] if locked else recorded[0] if recorded else start


def _farewell(before: LockMeta) -> str:
    verdict, state = judge_meta(before)
    if verdict is Verdict.STALE:
        return f"WARN: reclaiming scrape lock; previous holder pid {before.pid} is not running."
    return f"WARN: taking scrape lock; the kernel calls it free, its note says: {state}."


def _words(error: OSError) -> str:
    return (error.strerror or str(error)).lower()
