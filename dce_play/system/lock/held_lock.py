"""A lock with a note beside it: one holder at a time, and everybody can see who it is.

``with HeldLock(path, command="dce-play run proof", words=words).acquire(wait_s=600.0) as lock:`` holds it; programs
that work for the holder are given ``lock.fds``, so that the kernel keeps it until the last of them is gone. It is the
``flock`` of the file and keeps out, and is kept out by, ``flock(1)``.
"""

import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import replace
from pathlib import Path
from threading import Lock
from types import TracebackType
from typing import ClassVar, Self

from dce_play.errors import DcePlayError, ExitCode
from dce_play.system.clock import Clock, SystemClock, utc_stamp
from dce_play.system.disk import mount_of
from dce_play.system.durable.whole_files import remove_leftovers
from dce_play.system.lock.file_lock import LONGEST_PAUSE_S, SHORTEST_PAUSE_S, open_locked, still_names
from dce_play.system.lock.held import LockHeld
from dce_play.system.lock.note import (
    LockMeta,
    LockUnusable,
    check_places,
    meta_path,
    own_meta,
    read_meta,
    remove_meta,
    with_step,
    write_meta,
)
from dce_play.system.lock.status import Verdict, judge_meta, lock_status, lost_holders
from dce_play.system.lock.words import PLAIN, LockWords
from dce_play.system.process.containers import ContainerRuns

_PROGRESS_PAUSE_S = 5.0
_TRIES = 50
"""How often a lock file may be removed from under us before that counts as being held."""


class ContainerStillWrites(DcePlayError):
    """A container that an earlier run left behind may still write what the lock guards."""

    exit_code: ClassVar[ExitCode] = ExitCode.LOCKED

    def __init__(self, container: str, *, answered: bool) -> None:
        self.container = container
        engine, _, identity = container.partition(":")
        state = "is still running" if answered else f"may still be running: {engine} does not answer"
        super().__init__(
            f"container {identity} of an earlier run {state}", hint=f"look at it and stop it: {engine} stop {identity}"
        )


class HeldLock:
    """The lock of one file, with its note. Not held until ``acquire``."""

    def __init__(
        self,
        path: Path,
        *,
        command: str,
        run_id: str = "",
        words: LockWords = PLAIN,
        clock: Clock | None = None,
        warn: Callable[[str], None] = lambda _line: None,
        allow_network_fs: bool = False,
        container_runs: ContainerRuns = lambda _container: None,
    ) -> None:
        self.path = path
        self._command = command
        self._run_id = run_id
        self._words = words
        self._progressed = -_PROGRESS_PAUSE_S
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

        Raises: LockHeld, also when cancelled; LockUnusable, NoRegularFile, FlockUnsupported, ContainerStillWrites.
        """
        self._prepare()
        deadline = self._clock.monotonic() + wait_s
        pause_s = SHORTEST_PAUSE_S
        told = False
        while not self._take():
            if self._clock.monotonic() >= deadline or cancelled():
                raise self._held()
            if not told:
                on_blocked(self._held())
                told = True
            self._clock.sleep(pause_s)
            pause_s = min(2 * pause_s, LONGEST_PAUSE_S)
        return self

    def _held(self) -> LockHeld:
        return LockHeld(lock_status(self.path, words=self._words), now=self._clock.now(), words=self._words)

    def _take(self) -> bool:
        """Take the lock if nobody has it: neither the file, nor one that had its name when the note was written."""
        for _ in range(_TRIES):
            descriptor = self._try()
            if descriptor is None:
                return False
            kept = False
            try:
                before = read_meta(self.path)
                if before is not None and lost_holders(self.path, before) is not None:
                    return False
                # Whoever removes the file before the note names it lets another in beside us; after that, nobody.
                kept = self._settle(before, os.fstat(descriptor)) and still_names(self.path, descriptor)
                if kept:
                    self._descriptor = descriptor
                    return True
                self._forget()
            finally:
                if not kept:
                    os.close(descriptor)
        return False

    def _prepare(self) -> None:
        try:
            self.path.parent.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise LockUnusable(self.path, reason=_words(error)) from error
        check_places(self.path)
        mount = mount_of(self.path.parent)
        if mount.is_network and not self._allow_network_fs:
            raise LockUnusable(
                self.path,
                reason=f"it is on a network file system ({mount.kind}), where locks of other hosts may not be seen",
                hint=f"{self._words.elsewhere}, or allow it: network_fs: allow",
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

    def _settle(self, before: LockMeta | None, locked: os.stat_result) -> bool:
        """Replace the note of whoever had the lock before; the lock is held by now. Return whether ours stands."""
        remove_leftovers(meta_path(self.path))
        if before is not None:
            self._check_containers(before)
            self._warn(_farewell(before, self._words))
        lock_file = f"{locked.st_dev}:{locked.st_ino}"
        self._meta = own_meta(cmd=self._command, run_id=self._run_id, now=self._clock.now(), lock_file=lock_file)
        try:
            write_meta(self.path, self._meta, durable=True)
        except FileNotFoundError:  # somebody who took another file of this name has tidied up after us
            return False
        except OSError as error:
            raise LockUnusable(meta_path(self.path), reason=_words(error)) from error
        return True

    def _forget(self) -> None:
        """Take back a note that must not stand."""
        meta, self._meta = self._meta, None
        if meta is not None:
            with suppress(OSError):
                remove_meta(self.path, meta.lock_id)

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

    def progressed(self) -> None:
        """Note that the work gets on: the note is written at most once in 5 s. It never waits, for signal handlers."""
        now = self._clock.monotonic()
        if now - self._progressed < _PROGRESS_PAUSE_S or not self._note_lock.acquire(blocking=False):
            return
        try:
            self._progressed = now
            stamp = utc_stamp(self._clock.now())
            self._change(lambda meta: replace(meta, progress=stamp), durable=False)
        finally:
            self._note_lock.release()

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
            self._change(change, durable=durable)

    def _change(self, change: Callable[[LockMeta], LockMeta], *, durable: bool) -> None:
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
            self._forget()  # what stays is reclaimed by the next run
        os.close(descriptor)  # closed and not unlocked: unlocking would take it from our children too

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None, /
    ) -> None:
        self.release()


def _farewell(before: LockMeta, words: LockWords) -> str:
    verdict, state = judge_meta(before)
    if verdict is Verdict.STALE:
        return f"WARN: reclaiming {words.name}; previous holder pid {before.pid} is not running."
    return f"WARN: taking {words.name}; the kernel calls it free, its note says: {state}."


def _words(error: OSError) -> str:
    return (error.strerror or str(error)).lower()
