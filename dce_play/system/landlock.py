"""Landlock: the kernel refuses this process, and all that it starts, to write outside given places. For good.

Source: landlock(7) and include/uapi/linux/landlock.h; the numbers are the same on every architecture.
"""

import ctypes
import os
import stat
import struct
from collections.abc import Iterable
from pathlib import Path

_CREATE_RULESET, _ADD_RULE, _RESTRICT_SELF = 444, 445, 446
_ASK_VERSION = 1
_PATH_BENEATH = 1
_NO_NEW_PRIVILEGES = 38

_WRITE_FILE = 1 << 1
_CHANGE_FOLDER = sum(1 << bit for bit in range(4, 13))
"""Remove a folder or a file; make a device, folder, file, socket, pipe or link."""
_MOVE_ACROSS = 1 << 13
_TRUNCATE = 1 << 14
_HARMLESS = (Path("/dev/null"), Path("/dev/tty"))


def landlock_version() -> int:
    """Return the version of Landlock that this kernel has; 0 where there is none."""
    try:
        version = _libc().syscall(_CREATE_RULESET, None, ctypes.c_size_t(0), _ASK_VERSION)
    except (AttributeError, OSError):
        return 0
    return max(0, int(version))


def forbid_writes(allowed: Iterable[Path]) -> bool:
    """Forbid all writes outside these folders and files, which exist; return ``False`` where the kernel cannot.

    It cannot be undone. It holds for the calling thread and for threads and programs started after, so it is
    called first thing, in a process that does nothing but a dry run. Descriptors that are open stay writable.
    """
    version = landlock_version()
    if not version:
        return False
    handled = _WRITE_FILE | _CHANGE_FOLDER
    handled |= _MOVE_ACROSS if version >= 2 else 0
    handled |= _TRUNCATE if version >= 3 else 0
    attributes = struct.pack("=Q", handled)
    ruleset = _call(_CREATE_RULESET, attributes, ctypes.c_size_t(len(attributes)), 0)
    try:
        for path in (*allowed, *filter(Path.exists, _HARMLESS)):
            _allow(ruleset, path, handled)
        if _libc().prctl(_NO_NEW_PRIVILEGES, 1, 0, 0, 0) != 0:
            raise OSError(ctypes.get_errno(), "prctl")
        _call(_RESTRICT_SELF, ruleset, 0)
    finally:
        os.close(ruleset)
    return True


def _allow(ruleset: int, path: Path, handled: int) -> None:
    place = os.open(path, os.O_PATH | os.O_CLOEXEC)
    try:
        access = handled if stat.S_ISDIR(os.fstat(place).st_mode) else handled & (_WRITE_FILE | _TRUNCATE)
        _call(_ADD_RULE, ruleset, _PATH_BENEATH, struct.pack("=Qi", access, place), 0)
    finally:
        os.close(place)


def _call(number: int, *arguments: object) -> int:
    result = int(_libc().syscall(number, *arguments))
    if result < 0:
        raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))
    return result


def _libc() -> ctypes.CDLL:
    return ctypes.CDLL(None, use_errno=True)
