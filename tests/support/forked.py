"""Commands of ours in processes that need not import anything first: forked from one that has imported it all.

    process = start([sys.executable, "-m", "dce_play", "run", "p.yml"], cwd=folder, env=environment)

Such a process is the real command line: a child of ours with its own argv, environment, folder, streams, session and
exit code, in ``/proc`` too. Whatever else is asked for, another program or another user, is started as ever. Tests that
are about how a command starts use ``subprocess``; ``DCE_PLAY_TESTS_EXEC=1`` has it used everywhere.
"""

import array
import atexit
import json
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from tests.support.fork_server import MOST_FDS, ORDER_BYTES, can_serve

_PROJECT = Path(__file__).parents[2]
_PROGRAM = Path(__file__).with_name("fork_server.py")
_SCHEDULER = "distributed.cli.dask_scheduler"
_MODULES = {"dce_play", _SCHEDULER, "tests.faults.append_once", "tests.faults.salvage_once"}
_WITH_DASK = {"worker", "--cluster"}
"""Words of the commands that import Dask."""
_LOCALE = ("LC_ALL", "LC_CTYPE", "LANG")
_KNOWN = {"PYTHONDONTWRITEBYTECODE", "PYTHONUNBUFFERED"}
_READ_AT_START = ("PYTHON", "LC_", "LANG", "LD_", "DASK_", "MALLOC_")
"""How the variables begin that are read once, as an interpreter starts or Dask is imported."""


class _Server:
    """A process that has imported our modules, and the socket that it takes orders from. It ends when we do."""

    def __init__(self, *, with_dask: bool) -> None:
        self._ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        self._process = subprocess.Popen(
            [sys.executable, str(_PROGRAM), str(theirs.fileno()), *(["dask"] if with_dask else [])],
            env={"PATH": os.environ["PATH"], "LANG": "C.UTF-8", "OPENBLAS_NUM_THREADS": "1"},
            pass_fds=[theirs.fileno()],
            stdin=subprocess.DEVNULL,
            cwd="/",
        )
        theirs.close()
        self._one_at_a_time = threading.Lock()
        self.owner = os.getpid()
        atexit.register(self._end)

    def _end(self) -> None:
        if os.getpid() == self.owner:
            self._ours.close()
            self._process.wait()

    def fork(self, order: bytes, fds: Sequence[int]) -> int:
        """Have a process forked that has these descriptors; return its number. It is a child of ours."""
        with self._one_at_a_time:
            self._ours.sendmsg([order], [(socket.SOL_SOCKET, socket.SCM_RIGHTS, array.array("i", fds))])
            told = self._ours.recv(64)
        assert told, "what forks our commands is gone"
        return int(told)


_servers: dict[bool, _Server] = {}
_making = threading.Lock()


def _server(*, with_dask: bool) -> _Server:
    with _making:
        found = _servers.get(with_dask)
        if found is None or found.owner != os.getpid():
            found = _servers[with_dask] = _Server(with_dask=with_dask)
        return found


def _is_the_same(environment: Mapping[str, str]) -> bool:
    """Return whether Python would start with these variables as it did in what we fork from."""
    return all(
        name in _KNOWN
        or not name.startswith(_READ_AT_START)
        or (name in _LOCALE and value == "C.UTF-8")
        or (name == "PYTHONPATH" and value == str(_PROJECT))
        for name, value in environment.items()
    )


def _module(argv: Sequence[str]) -> str | None:
    """Return which of the modules that can be forked a command line starts, if any."""
    known = len(argv) > 2 and list(argv[:2]) == [sys.executable, "-m"] and argv[2] in _MODULES
    return argv[2] if known else None


def _umask() -> int:
    status = Path("/proc/self/status").read_text(encoding="utf-8")
    return int(status.partition("\nUmask:")[2].split()[0], 8)


class _Forked(subprocess.Popen[Any]):
    """A process like any other, but for how it comes to be."""

    stops_first = False
    """Whether it stops itself before its program begins."""
    is_fork = False

    def _execute_child(self, args: Any, *given: Any) -> None:
        # The arguments are those that every Python from 3.11 to 3.13 gives.
        executable, preexec, _, pass_fds, cwd, env, _, _, shell, *rest = given
        p2cread, p2cwrite, c2pread, c2pwrite, errread, errwrite, _, gid, gids, uid, umask, session, group = rest
        environment = dict(os.environ if env is None else env)
        module = None if isinstance(args, str | bytes | os.PathLike) else _module(args)
        other = (executable, preexec, gid, gids, uid)
        if module is None or shell or any(each is not None for each in other) or not _is_the_same(environment):
            super()._execute_child(args, *given)  # type: ignore[misc]
            return
        if not any(environment.get(name) for name in _LOCALE):  # Python then sets it, and tells its children
            environment["LC_CTYPE"] = "C.UTF-8"
        streams = [own if fd == -1 else fd for own, fd in enumerate((p2cread, c2pwrite, errwrite))]
        order = {
            "module": module,
            "words": list(args[3:]),
            "folder": str(Path.cwd() / (cwd or ".")),
            "environment": environment,
            "targets": [0, 1, 2, *pass_fds],
            "umask": umask if umask >= 0 else _umask(),
            "session": bool(session),
            "stops_first": self.stops_first,
            "group": group,
        }
        data = json.dumps(order).encode()
        assert len(data) < ORDER_BYTES
        assert len(pass_fds) + 3 <= MOST_FDS
        Path(order["folder"]).stat()  # where there is none, that is told as ever
        server = _server(with_dask=module == _SCHEDULER or not _WITH_DASK.isdisjoint(args))
        self.pid = server.fork(data, [*streams, *pass_fds])
        self._child_created = self.is_fork = True
        self._close_pipe_fds(p2cread, p2cwrite, c2pread, c2pwrite, errread, errwrite)  # type: ignore[attr-defined]


class _Stopped(_Forked):
    """One that begins when somebody lets it go on."""

    stops_first = True


def _forks() -> bool:
    return can_serve() and "DCE_PLAY_TESTS_EXEC" not in os.environ


def start(argv: Sequence[str], **options: Any) -> "subprocess.Popen[Any]":
    """Start a program as ``subprocess.Popen`` does; it is a fork where that is the same."""
    return (_Forked if _forks() else subprocess.Popen)(argv, **options)


def run_traced(
    strace: Sequence[str], argv: Sequence[str], *, timeout: float = 120.0, **options: Any
) -> "subprocess.CompletedProcess[Any]":
    """Run a program under strace, whose words stand in ``strace``; it ends as the program does.

    What is no fork is traced from the first step of its interpreter on, what is one from the first of the program.
    """
    options = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, **options}
    if not (_forks() and _module(argv) and _is_the_same(options.get("env") or os.environ)):
        return run([*strace, *argv], timeout=timeout, **options)
    with _Stopped(argv, **options) as process:
        assert process.is_fork
        _wait_for(process.pid, "State:", "T", "t")
        words = [word for word in strace if word != "--seccomp-bpf"]  # which is for what strace starts itself
        with subprocess.Popen([*words, "-p", str(process.pid)], stdin=subprocess.DEVNULL) as tracing:
            _wait_for(process.pid, "TracerPid:", str(tracing.pid))
            os.kill(process.pid, signal.SIGCONT)
            try:
                out, err = process.communicate(timeout=timeout)
            finally:
                process.kill()
    return subprocess.CompletedProcess([*argv], process.returncode, out, err)


def _wait_for(pid: int, name: str, *values: str) -> None:
    """Wait until the kernel says so of a process."""
    end = time.monotonic() + 60.0
    while True:
        status = Path(f"/proc/{pid}/status").read_text(encoding="utf-8")
        if status.partition(f"\n{name}")[2].split()[0] in values:
            return
        assert time.monotonic() < end, f"{name} is never one of {values}"
        time.sleep(0.002)


def run(
    argv: Sequence[str],
    *,
    input: str | bytes | None = None,  # noqa: A002 - as subprocess.run has it
    timeout: float | None = None,
    capture_output: bool = False,
    check: bool = False,
    **options: Any,
) -> "subprocess.CompletedProcess[Any]":
    """Run a program to its end as ``subprocess.run`` does; it is a fork where that is the same."""
    if capture_output:
        options |= {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
    if input is not None:
        options["stdin"] = subprocess.PIPE
    with start(argv, **options) as process:
        try:
            out, err = process.communicate(input, timeout=timeout)
        except BaseException:
            process.kill()
            raise
    done = subprocess.CompletedProcess(argv, process.returncode, out, err)
    if check:
        done.check_returncode()
    return done
