"""What each audit event that can change something says about itself: the judges of a dry run's tripwire.

A judge returns what would be done, in words, when it may not be; ``None`` for what only looks.
"""

import ipaddress
import os
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Protocol, TypeAlias

_WRITE_FLAGS = os.O_WRONLY | os.O_RDWR | os.O_CREAT | os.O_TRUNC | os.O_APPEND
Arguments: TypeAlias = tuple[Any, ...]


class Wire(Protocol):
    """What is allowed while the dry run is on."""

    def note(self, deed: str) -> None:
        """Keep in mind what was refused otherwise than by an error."""

    def writes_to(self, path: str) -> bool:
        """Return whether the path is one that may not be written."""

    def starts(self, program: str) -> bool:
        """Return whether the program is one that was not declared."""


def _open(wire: Wire, arguments: Arguments) -> str | None:
    path, _mode, flags = arguments
    if isinstance(path, int) or not (flags or 0) & _WRITE_FLAGS:
        return None
    real = os.path.realpath(os.fsdecode(path))
    return f"write {real}" if wire.writes_to(real) else None


def _change(verb: str, *, path: int = 0, folder: int | None = None) -> Callable[[Wire, Arguments], str | None]:
    """Return the judge of an event that changes the entry which its argument ``path`` names, below ``folder``."""

    def judge(wire: Wire, arguments: Arguments) -> str | None:
        if isinstance(arguments[path], int):
            return None  # by descriptor: opening it was judged
        real = _entry(os.fsdecode(arguments[path]), arguments[folder] if folder is not None else -1)
        return f"{verb} {real}" if wire.writes_to(real) else None

    return judge


def _rename(wire: Wire, arguments: Arguments) -> str | None:
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


def _database(wire: Wire, arguments: Arguments) -> str | None:
    name = os.fsdecode(arguments[0])
    return None if name in {":memory:", ""} or not wire.writes_to(os.path.realpath(name)) else f"open database {name}"


def _connect(_wire: Wire, arguments: Arguments) -> str | None:
    address = arguments[1]
    if not isinstance(address, tuple) or not isinstance(address[0], str | bytes):
        return None  # a unix socket, or one to the kernel
    return _reach(address[0])


def _look_up(_wire: Wire, arguments: Arguments) -> str | None:
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


def _bind(wire: Wire, arguments: Arguments) -> str | None:
    address = arguments[1]
    if isinstance(address, str | bytes | bytearray):
        path = os.fsdecode(bytes(address) if isinstance(address, bytearray) else address)
        if not path or path.startswith("\0"):
            return None  # an abstract name, which is no file
        real = os.path.realpath(path)
        return f"make socket {real}" if wire.writes_to(real) else None
    if isinstance(address, tuple) and address and isinstance(address[0], str | bytes):
        host = os.fsdecode(address[0])
        return None if host and _reach(host) is None else f"listen on {host or 'every address'}"
    return None


def _start(wire: Wire, arguments: Arguments) -> str | None:
    program = os.fsdecode(arguments[0]) if arguments[0] is not None else str(arguments[1][0])
    return f"start {program}" if wire.starts(program) else None


def _shell(_wire: Wire, arguments: Arguments) -> str | None:
    return f"run {os.fsdecode(arguments[0])}"


def _kill(_wire: Wire, arguments: Arguments) -> str | None:
    return f"signal process {arguments[0]}" if arguments[1] else None


JUDGES: Mapping[str, Callable[[Wire, Arguments], str | None]] = {
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
    "socket.bind": _bind,
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
