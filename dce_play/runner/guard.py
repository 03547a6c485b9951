"""The tripwire of a dry run: whoever changes something while it is on is found out, and the run fails.

``with dry_run(allowed_writable=(run_folder,)):`` watches this process through the interpreter's audit events. What
is not allowed is refused and kept in mind, so that a step which swallows the refusal is found out at the end of the
block. ``seal_process`` adds the kernel's own refusal, which the programs we start inherit.

This is a net under our own mistakes, not a prison: writing on a descriptor opened before, ``mmap`` and C code raise
no audit event.
"""

import ipaddress
import os
import sys
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, ClassVar, TypeAlias

from dce_play.errors import DcePlayError, ExitCode
from dce_play.system.landlock import forbid_writes

_WRITE_FLAGS = os.O_WRONLY | os.O_RDWR | os.O_CREAT | os.O_TRUNC | os.O_APPEND
_HARMLESS = ("/dev/null", "/dev/tty", "/dev/pts/", "/dev/fd/", "/dev/stdout", "/dev/stderr")
_Arguments: TypeAlias = tuple[Any, ...]


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

    def check(self, event: str, arguments: _Arguments) -> None:
        """Refuse an audit event that changes what is not ours to change.

        Raises: DryRunBroken.
        """
        judge = _JUDGES.get(event)
        deed = judge(self, arguments) if judge is not None else None
        if deed is not None:
            self._deeds.append(deed)
            raise DryRunBroken((deed,))

    def writes_to(self, path: str) -> bool:
        """Return whether the path is one that may not be written."""
        if path.startswith(_HARMLESS):
            return False
        return not any(path == place or path.startswith(f"{place}/") for place in self._writable)

    def starts(self, program: str) -> bool:
        """Return whether the program is one that was not declared."""
        return os.path.basename(program) not in self._programs  # noqa: PTH119 - runs at every event


_active: Tripwire | None = None
_installed = False


@contextmanager
def dry_run(*, allowed_writable: Iterable[Path] = (), allowed_programs: Iterable[str] = ()) -> Iterator[Tripwire]:
    """Refuse, while the block runs and in all threads, whatever changes something outside of ``allowed_writable``.

    Refused are writing, removing, renaming and making files and folders, sockets to other machines, signals, and
    programs not in ``allowed_programs`` (bare names).

    Raises: DryRunBroken, at the end of the block too: an earlier one may have been swallowed, or told as another.
    """
    global _active  # noqa: PLW0603 - an audit hook cannot be taken back, so there is one for the process
    if _active is not None:
        raise ValueError("a dry run is on already")
    _install()
    bytecode = sys.dont_write_bytecode
    sys.dont_write_bytecode = True  # else the first import of a lazy package writes its cache
    tripwire = Tripwire(allowed_writable=allowed_writable, allowed_programs=allowed_programs)
    _active = tripwire
    failure: Exception | None = None
    try:
        yield tripwire
    except Exception as error:
        failure = error
        raise
    finally:
        _active = None
        sys.dont_write_bytecode = bytecode
        if tripwire.deeds:
            raise DryRunBroken(tripwire.deeds) from failure


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


def _hook(event: str, arguments: _Arguments) -> None:
    if _active is not None:
        _active.check(event, arguments)


def _open(wire: Tripwire, arguments: _Arguments) -> str | None:
    path, _mode, flags = arguments
    if isinstance(path, int) or not (flags or 0) & _WRITE_FLAGS:
        return None
    real = os.path.realpath(os.fsdecode(path))
    return f"write {real}" if wire.writes_to(real) else None


def _change(verb: str, *, path: int = 0, folder: int | None = None) -> Callable[[Tripwire, _Arguments], str | None]:
    """Return the judge of an event that changes the entry which its argument ``path`` names, below ``folder``."""

    def judge(wire: Tripwire, arguments: _Arguments) -> str | None:
        if isinstance(arguments[path], int):
            return None  # by descriptor: opening it was judged
        real = _entry(os.fsdecode(arguments[path]), arguments[folder] if folder is not None else -1)
        return f"{verb} {real}" if wire.writes_to(real) else None

    return judge


def _rename(wire: Tripwire, arguments: _Arguments) -> str | None:
    source, target, source_folder, target_folder = arguments
    for path, folder in ((source, source_folder), (target, target_folder)):
        real = _entry(os.fsdecode(path), folder)
        if wire.writes_to(real):
            return f"rename {real}"
    return None


def _entry(path: str, folder: int) -> str:
    """Return the real place of a folder's entry; a link that is the entry itself is not followed."""
    place = Path(f"/proc/self/fd/{folder}").readlink() / path if folder != -1 else Path(path)
    return str(place.parent.resolve() / place.name)


def _database(wire: Tripwire, arguments: _Arguments) -> str | None:
    name = os.fsdecode(arguments[0])
    return None if name in {":memory:", ""} or not wire.writes_to(os.path.realpath(name)) else f"open database {name}"


def _connect(_wire: Tripwire, arguments: _Arguments) -> str | None:
    address = arguments[1]
    if not isinstance(address, tuple) or not isinstance(address[0], str | bytes):
        return None  # a unix socket, or one to the kernel
    return _reach(address[0])


def _look_up(_wire: Tripwire, arguments: _Arguments) -> str | None:
    host = arguments[0]
    return None if host is None else _reach(host)


def _reach(host: str | bytes) -> str | None:
    name = host.decode(errors="replace") if isinstance(host, bytes) else host
    if name in {"", "localhost"}:
        return None
    try:
        return None if ipaddress.ip_address(name.partition("%")[0]).is_loopback else f"reach {name}"
    except ValueError:
        return f"reach {name}"


def _start(wire: Tripwire, arguments: _Arguments) -> str | None:
    program = os.fsdecode(arguments[0]) if arguments[0] is not None else str(arguments[1][0])
    return f"start {program}" if wire.starts(program) else None


def _shell(_wire: Tripwire, arguments: _Arguments) -> str | None:
    return f"run {os.fsdecode(arguments[0])}"


def _kill(_wire: Tripwire, arguments: _Arguments) -> str | None:
    return f"signal process {arguments[0]}" if arguments[1] else None


_JUDGES: dict[str, Callable[[Tripwire, _Arguments], str | None]] = {
    "open": _open,
    "os.chmod": _change("change the mode of", folder=2),
    "os.chown": _change("change the owner of", folder=3),
    "os.link": _change("link", path=1, folder=3),
    "os.mkdir": _change("make folder", folder=2),
    "os.remove": _change("remove", folder=1),
    "os.removexattr": _change("change attributes of"),
    "os.rename": _rename,
    "os.rmdir": _change("remove folder", folder=1),
    "os.setxattr": _change("change attributes of"),
    "os.symlink": _change("link", path=1, folder=2),
    "os.truncate": _change("truncate"),
    "os.utime": _change("change the time of", folder=3),
    "sqlite3.connect": _database,
    "socket.connect": _connect,
    "socket.getaddrinfo": _look_up,
    "socket.gethostbyname": _look_up,
    "socket.sendmsg": _connect,
    "socket.sendto": _connect,
    "os.exec": _start,
    "os.posix_spawn": _start,
    "os.spawn": lambda wire, arguments: _start(wire, arguments[1:]),
    "os.system": _shell,
    "subprocess.Popen": _start,
    "os.kill": _kill,
    "os.killpg": _kill,
    "signal.pthread_kill": _kill,
}
"""What each audit event that can change something says about itself. Source: Python's audit events table."""
