"""The program that ``forked`` starts: it imports what commands need once, and then forks one process an order.

What it forks is no child of its own but of whoever started it, as a program that was started would be. It is one whose
imports are done: argv, environment, folder, streams, session and the name that ``ps`` shows are those of the order.
"""

import array
import atexit
import ctypes
import fcntl
import gc
import importlib
import io
import json
import os
import pkgutil
import platform
import runpy
import signal
import socket
import struct
import sys
import threading
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

ORDER_BYTES = 1 << 17
MOST_FDS = 16
_MOST_OPEN = 1024
_PROJECT = Path(__file__).parents[2]
_CLONE = {"x86_64": 56, "aarch64": 220}
_CLONE_PARENT, _CLONE_CHILD_CLEARTID, _CLONE_CHILD_SETTID = 0x8000, 0x200000, 0x1000000
_PR_SET_MM, _PR_SET_MM_MAP, _PR_GET_TID_ADDRESS = 35, 14, 40
_STAT = (23, 24, 25, 42, 43, 44)
"""Where /proc/PID/stat, after the name, has start_code, end_code, start_stack, start_data, end_data and start_brk."""
_FOREIGN = ("httpx2", "jinja2", "jsonschema", "prometheus_client", "psutil", "rich.console", "ruamel.yaml", "uvicorn")
_FAN_OUT = "fan_out"
"""Packages of this name bring Dask in, which few commands need."""


def can_serve() -> bool:
    """Return whether the system call is known here."""
    return sys.platform == "linux" and platform.machine() in _CLONE


def _warm_up(*, with_dask: bool) -> None:
    """Import what commands import while they run."""
    import dce_play.__main__

    for name in _FOREIGN:
        importlib.import_module(name)
    for found in pkgutil.walk_packages(dce_play.__path__, "dce_play."):
        if with_dask or _FAN_OUT not in found.name.split("."):
            importlib.import_module(found.name)
    if with_dask:
        importlib.import_module("distributed.cli.dask_scheduler")
    assert len([*Path("/proc/self/task").iterdir()]) == 1, "a fork has one thread only"
    gc.collect()
    gc.freeze()


def _fork() -> int:
    """Fork as ``os.fork`` does, but for a child that is our parent's. Return 0 in it, else its number."""
    libc, python, ours = ctypes.CDLL(None, use_errno=True), ctypes.pythonapi, ctypes.c_ulong()
    flags = _CLONE_PARENT | signal.SIGCHLD
    if libc.prctl(_PR_GET_TID_ADDRESS, ctypes.byref(ours), 0, 0, 0) == 0:
        flags |= _CLONE_CHILD_SETTID | _CLONE_CHILD_CLEARTID
    places = [ctypes.c_void_p(ours.value), ctypes.c_void_p()]
    if platform.machine() != "x86_64":
        places.reverse()
    nothing, number = ctypes.c_void_p(), ctypes.c_long(_CLONE[platform.machine()])
    python.PyOS_BeforeFork()
    pid = int(python.syscall(number, ctypes.c_ulong(flags), nothing, nothing, *places))
    if pid == 0:
        python.PyOS_AfterFork_Child()
    else:
        python.PyOS_AfterFork_Parent()
    assert pid >= 0, "the kernel lets us not fork"
    return pid


def _show(words: Sequence[str], environment: Mapping[str, str]) -> None:
    """Be what ``/proc`` shows of a program that was started with these words and this environment."""
    libc = ctypes.CDLL(None, use_errno=True)
    libc.sbrk.restype = ctypes.c_void_p
    shown = [*words], [f"{name}={value}" for name, value in environment.items()]
    places = []
    for texts in shown:
        data = b"".join(os.fsencode(text) + b"\0" for text in texts)
        block = ctypes.create_string_buffer(data, len(data))
        _kept.append(block)
        places += [ctypes.addressof(block), ctypes.addressof(block) + len(data)]
    stat = Path("/proc/self/stat").read_text(encoding="utf-8").rpartition(")")[2].split()
    start_code, end_code, start_stack, start_data, end_data, start_brk = (int(stat[at]) for at in _STAT)
    fields = [start_code, end_code, start_data, end_data, start_brk, libc.sbrk(0), start_stack, *places, 0]
    described = struct.pack("=12QIi", *fields, 0, -1)
    if libc.prctl(_PR_SET_MM, _PR_SET_MM_MAP, described, ctypes.c_ulong(len(described)), ctypes.c_ulong()) != 0:
        raise OSError(ctypes.get_errno(), "prctl")


_kept: list[object] = []


def _take(fds: Sequence[int], targets: Sequence[int]) -> None:
    """Have these descriptors under their numbers, and no others."""
    aside = [fcntl.fcntl(fd, fcntl.F_DUPFD, _MOST_OPEN) for fd in fds]
    os.closerange(3, _MOST_OPEN)
    for fd, target in zip(aside, targets, strict=True):
        os.dup2(fd, target)
        os.close(fd)


def _open_streams(*, write_through: bool) -> None:
    """Have the standard streams that Python makes as it starts."""
    was = sys.stdin, sys.stdout, sys.stderr
    opened = []
    for number, stream in enumerate(was):
        binary = open(number, "rb" if number == 0 else "wb", closefd=False)  # noqa: SIM115 - it is the process's own
        by_line = number == 2 or os.isatty(number)
        made = io.TextIOWrapper(
            binary, stream.encoding, stream.errors, line_buffering=by_line, write_through=write_through
        )
        opened.append(made)
    sys.stdin, sys.stdout, sys.stderr = opened
    sys.__stdin__, sys.__stdout__, sys.__stderr__ = opened  # type: ignore[misc]


def _be_seen(order: Mapping[str, Any]) -> None:
    """Be all that others see of a process once it was started."""
    if order["session"]:
        os.setsid()
    elif order["group"] >= 0:
        os.setpgid(0, order["group"])
    _show([sys.executable, "-m", order["module"], *order["words"]], order["environment"])


def _become(order: Mapping[str, Any], fds: Sequence[int]) -> None:
    """Be the program that the order asks for, as it is once its modules are imported, and run it."""
    module, words, environment = order["module"], order["words"], order["environment"]
    _take(fds, order["targets"])
    os.umask(order["umask"])
    os.chdir(order["folder"])
    signal.signal(signal.SIGINT, signal.default_int_handler)
    os.environ.clear()
    os.environ.update(environment)
    time.tzset()
    sys.dont_write_bytecode = bool(environment.get("PYTHONDONTWRITEBYTECODE"))
    sys.path[0] = order["folder"]
    sys.orig_argv = [sys.executable, "-m", module, *words]
    _open_streams(write_through=bool(environment.get("PYTHONUNBUFFERED")))
    if order["stops_first"]:
        os.kill(os.getpid(), signal.SIGSTOP)
    try:
        _run(module, words)
    except SystemExit as ends:
        _leave(ends.code)


def _run(module: str, words: Sequence[str]) -> None:
    main = sys.modules.get("dce_play.__main__" if module == "dce_play" else module)
    if main is None:  # a small program over modules that are imported
        sys.argv = [module, *words]
        runpy.run_module(module, run_name="__main__", alter_sys=True)
    else:
        sys.argv = [str(main.__file__), *words]
        sys.modules["__main__"] = main
        main.main()


def _leave(code: str | int | None) -> None:
    """End as Python does, but for taking all modules apart, which costs more here than most commands."""
    if not isinstance(code, int | None):
        raise SystemExit(code)
    threading._shutdown()  # type: ignore[attr-defined]
    atexit._run_exitfuncs()
    try:
        for stream in (sys.stdout, sys.stderr):
            if stream is not None and not stream.closed:
                stream.flush()
    except OSError:  # Python says so in its own way
        raise SystemExit(code) from None
    os._exit((code or 0) & 0xFF)


def _next_order(control: socket.socket) -> tuple[Mapping[str, Any], Sequence[int]] | None:
    """Wait for an order, with descriptors; ``None`` when nobody gives any more."""
    text, ancillary, _, _ = control.recvmsg(ORDER_BYTES, socket.CMSG_SPACE(4 * MOST_FDS))
    if not text:
        return None
    fds = array.array("i")
    for _, _, data in ancillary:
        fds.frombytes(data)
    return json.loads(text), list(fds)


def serve(control: socket.socket, *, with_dask: bool) -> None:
    """Fork once an order; the process tells its number and goes on as its program. Ends when nobody orders any more."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    sys.path.insert(1, str(_PROJECT))
    _warm_up(with_dask=with_dask)
    while (asked := _next_order(control)) is not None:
        order, fds = asked
        pid = _fork()
        if pid == 0:
            try:
                _be_seen(order)
            finally:
                control.send(b"%d" % os.getpid())
            _become(order, fds)
            return
        for fd in fds:
            os.close(fd)


if __name__ == "__main__":
    serve(socket.socket(fileno=int(sys.argv[1])), with_dask="dask" in sys.argv)
