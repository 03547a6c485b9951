"""The tripwire of a dry run: whoever changes something while it is on is found out, and the run fails.

``with dry_run(allowed_writable=(run_folder,)):`` watches this process through the interpreter's audit events. What
is not allowed is refused and kept in mind, so that a step which swallows the refusal is found out at the end of the
block. ``seal_process`` adds the kernel's own refusal, which the programs we start inherit.

Threads that the block has started are waited for; one that goes on stays watched, and is told.

This is a net under our own mistakes, not a prison: writing on a descriptor opened before, ``mmap`` and C code raise
no audit event.
"""

import _posixsubprocess
import logging
import os
import socket
import sys
import threading
import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, ClassVar

from dce_play.errors import DcePlayError, ExitCode
from dce_play.runner.dry_run.deeds import JUDGES, Arguments
from dce_play.system.landlock import forbid_writes

_HARMLESS = ("/dev/null", "/dev/tty", "/dev/pts/", "/dev/fd/", "/dev/stdout", "/dev/stderr")


class DryRunBroken(DcePlayError):
    """Something would have been changed in a dry run. It was not; but who plans must not act, so this is our bug."""

    exit_code: ClassVar[ExitCode] = ExitCode.BUG

    def __init__(self, deeds: tuple[str, ...]) -> None:
        self.deeds = deeds
        more = f", and {len(deeds) - 1} more" if len(deeds) > 1 else ""
        super().__init__(f"a dry run tried to {deeds[0]}{more}", hint="a step's plan may only look; nothing was done")


class Tripwire:
    """What is allowed while it is on, and what was tried."""

    def __init__(self, *, allowed_writable: Iterable[Path], allowed_programs: Iterable[str]) -> None:
        self._writable = tuple(os.path.realpath(path) for path in allowed_writable)
        self._programs = frozenset(allowed_programs)
        self._deeds: list[str] = []

    @property
    def deeds(self) -> tuple[str, ...]:
        """Return what was tried and refused, in order."""
        return tuple(self._deeds)

    def check(self, event: str, arguments: Arguments) -> None:
        """Refuse an audit event that changes what is not ours to change.

        Raises: DryRunBroken.
        """
        judge = JUDGES.get(event)
        deed = judge(self, arguments) if judge is not None else None
        if deed is not None:
            self._deeds.append(deed)
            raise DryRunBroken((deed,))

    def note(self, deed: str) -> None:
        """Keep in mind what was refused otherwise than by an error of ours."""
        self._deeds.append(deed)

    def writes_to(self, path: str) -> bool:
        """Return whether the path is one that may not be written."""
        if path.startswith(_HARMLESS):
            return False
        return not any(path == place or path.startswith(f"{place}/") for place in self._writable)

    def starts(self, program: str) -> bool:
        """Return whether the program is one that was not declared."""
        return os.path.basename(program) not in self._programs  # noqa: PTH119 - runs at every event


_JOIN_S = 2.0
"""How long threads that the block has started may take to end with it."""
_LOG = logging.getLogger("dce-play")

_active: Tripwire | None = None
_kept: Tripwire | None = None
"""What goes on judging the threads that did not end with their dry run."""
_left: dict[int, threading.Thread] = {}
"""Those threads. An id alone would not do: the next thread may get that of one which has ended."""
_installed = False


@contextmanager
def dry_run(*, allowed_writable: Iterable[Path] = (), allowed_programs: Iterable[str] = ()) -> Iterator[Tripwire]:
    """Refuse, while the block runs and in all threads, whatever changes something outside of ``allowed_writable``.

    Refused are writing, removing, renaming and making files and folders, sockets to other machines, signals, and
    programs not in ``allowed_programs`` (bare names).

    Raises: DryRunBroken, at the end of the block too: an earlier one may have been swallowed, or told as another.
    """
    global _active, _kept  # noqa: PLW0603 - an audit hook cannot be taken back, so there is one for the process
    if _active is not None:
        raise ValueError("a dry run is on already")
    _install()
    bytecode = sys.dont_write_bytecode
    sys.dont_write_bytecode = True  # else the first import of a lazy package writes its cache
    tripwire = Tripwire(allowed_writable=allowed_writable, allowed_programs=allowed_programs)
    _active = tripwire
    before = frozenset(threading.enumerate())
    raised: Exception | None = None
    try:
        with _no_hidden_starts(tripwire), _no_hidden_databases(tripwire), _no_hidden_servers(tripwire):
            yield tripwire
            _join(before)
    except Exception as error:
        raised = error
        raise
    finally:
        _left.update((thread.ident, thread) for thread in _since(before) if thread.ident is not None)
        _kept = tripwire if _left else _kept
        _active = None
        sys.dont_write_bytecode = bytecode
        if tripwire.deeds:
            raise DryRunBroken(tripwire.deeds) from raised


def seal_process(allowed_writable: Iterable[Path]) -> bool:
    """Let the kernel refuse writes elsewhere, to this process and to what it starts, until it ends.

    Only for the process of a dry run, before it starts threads. Returns ``False`` where the kernel has no Landlock.
    """
    return forbid_writes(allowed_writable)


def _install() -> None:
    global _installed  # noqa: PLW0603 - as above
    if not _installed:
        sys.addaudithook(_hook)
        _installed = True


def _hook(event: str, arguments: Arguments) -> None:
    if _active is not None:
        _active.check(event, arguments)
    elif _left and _kept is not None and _is_left_over(threading.get_ident()):
        _kept.check(event, arguments)


def _is_left_over(identifier: int) -> bool:
    thread = _left.get(identifier)
    if thread is None:
        return False
    if not thread.is_alive():
        _left.pop(identifier, None)
        return False
    return True


def _since(before: frozenset[threading.Thread]) -> list[threading.Thread]:
    """Return the threads that live and were not there before; a display's, which only draws, is no step's."""
    return [
        thread
        for thread in threading.enumerate()
        if thread not in before and not type(thread).__module__.startswith("rich.")
    ]


def _join(before: frozenset[threading.Thread]) -> None:
    """Wait for the threads that the block has started; tell of those that go on."""
    end = time.monotonic() + _JOIN_S
    for thread in _since(before):
        thread.join(max(0.0, end - time.monotonic()))
        if thread.is_alive():
            _LOG.warning("warning: the thread %r outlives its dry run; it may change nothing", thread.name)


@contextmanager
def _no_hidden_starts(wire: Tripwire) -> Iterator[None]:
    """Refuse the one door to programs that raises no audit event; ``subprocess``, imported by now, has its own key."""

    def refuse(*arguments: object, **_: object) -> int:
        argv = arguments[0] if arguments else ()
        deed = f"start {os.fsdecode(next(iter(argv), b''))}" if isinstance(argv, list | tuple) else "start a program"
        wire.note(deed)
        raise DryRunBroken((deed,))

    door, _posixsubprocess.fork_exec = _posixsubprocess.fork_exec, refuse
    try:
        yield
    finally:
        _posixsubprocess.fork_exec = door


@contextmanager
def _no_hidden_servers(wire: Tripwire) -> Iterator[None]:
    """Refuse to listen at a socket that was bound to no address: the system takes every one, with no audit event."""

    def listen(self: socket.socket, *backlog: int) -> None:
        if self.family in {socket.AF_INET, socket.AF_INET6} and not self.getsockname()[1]:
            deed = "listen on every address"
            wire.note(deed)
            raise DryRunBroken((deed,))
        door(self, *backlog)

    door = socket.socket.listen
    socket.socket.listen = listen  # type: ignore[method-assign, assignment]  # the C method takes its own kind of self
    try:
        yield
    finally:
        del socket.socket.listen


@contextmanager
def _no_hidden_databases(wire: Tripwire) -> Iterator[None]:
    """Let a database that was opened for looking attach no other, which raises no audit event; nor ``VACUUM INTO``."""
    import sqlite3  # only a dry run needs it

    def authorize(action: int, name: str | None, *_: str | None) -> int:
        if action == sqlite3.SQLITE_ATTACH and name not in {"", ":memory:"}:
            # A name that comes as a parameter is not told here; it may be any.
            real = os.path.realpath(name.removeprefix("file:").partition("?")[0]) if name else "by a parameter"
            if name is None or wire.writes_to(real):
                wire.note(f"attach database {real}")
                return sqlite3.SQLITE_DENY
        return sqlite3.SQLITE_OK

    def connect(*arguments: Any, **more: Any) -> sqlite3.Connection:
        connection: sqlite3.Connection = door(*arguments, **more)
        connection.set_authorizer(authorize)
        return connection

    door = sqlite3.connect
    sqlite3.connect = sqlite3.dbapi2.connect = connect  # type: ignore[assignment]  # its overloads
    try:
        yield
    finally:
        sqlite3.connect = sqlite3.dbapi2.connect = door
