"""A program and all that it started: beginning it, collecting what it says, and ending the whole of it."""

import os
import select
import signal
import subprocess
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import IO, Any

from dce_play.errors import DcePlayError
from dce_play.system.durable.named_outputs import is_written_through, open_through

TERM_GRACE_S = 5.0
"""How long a program may tidy up after SIGTERM."""
KILL_GRACE_S = 5.0
"""How long the kernel may take to end what got SIGKILL; a process in uninterruptible sleep can take for ever."""
DRAIN_S = 0.5
"""How long output is still read once the program itself has ended: a daemon it left may never close the pipe."""
TICK_S = 0.1
"""How often a wait looks up to see whether the run was cancelled."""
_CHUNK_BYTES = 64 * 1024


class Why(StrEnum):
    """Why a program is no longer running."""

    EXITED = "exited"
    TIMED_OUT = "timed out"
    CANCELLED = "cancelled"


@dataclass(frozen=True, slots=True, kw_only=True)
class ProgramEnd:
    """How a program ended, and what it said until then. ``exit_code`` is 128 + n for signal n."""

    why: Why
    exit_code: int
    stdout: str
    stderr: str


class ProgramLives(DcePlayError):
    """A program goes on although it was to end: it is another user's, or waits for the kernel."""

    def __init__(self, process: "subprocess.Popen[bytes]") -> None:
        super().__init__(
            f"process {process.pid} goes on after SIGKILL",
            hint=f"see what it is: ps -o user,stat,args -p {process.pid}",
        )


@contextmanager
def started(
    argv: Sequence[str], *, env: Mapping[str, str], cwd: Path | None, pass_fds: Sequence[int], stdout: Path | None
) -> Iterator["subprocess.Popen[bytes]"]:
    """Run a program while the block runs; if the block raises, the program and all its children are ended.

    It gets a session of its own, so that a Ctrl-C at the terminal reaches us alone, and no standard input.

    Raises: OSError, when it cannot be started or the file for its output not be written.
    """
    with _sink(stdout) as sink:
        process = subprocess.Popen(
            argv,
            stdin=subprocess.DEVNULL,
            stdout=sink,
            stderr=subprocess.PIPE,
            env=env,
            cwd=cwd,
            pass_fds=pass_fds,
            start_new_session=True,
            bufsize=0,
        )
    try:
        yield process
    except ProgramLives:
        raise
    except BaseException:
        with suppress(ProgramLives):
            end_tree(process)
        raise
    finally:
        for stream in (process.stdout, process.stderr):
            if stream is not None:
                stream.close()


@contextmanager
def _sink(stdout: Path | None) -> Iterator[int | IO[Any]]:
    if stdout is None:
        yield subprocess.PIPE
    else:
        if is_written_through(stdout):
            descriptor = open_through(stdout)
            os.set_blocking(descriptor, True)
            file = os.fdopen(descriptor, "wb")
        else:
            file = stdout.open("wb")
        with file:
            yield file


def exit_code(process: "subprocess.Popen[bytes]") -> int:
    """Return the exit code of a program that has ended, as a shell would tell it."""
    code = process.wait()
    return code if code >= 0 else 128 - code


def collect(process: "subprocess.Popen[bytes]", *, timeout_s: float, cancelled: Callable[[], bool]) -> ProgramEnd:
    """Read all output until the program ends, its time is up, or the run is cancelled."""
    output: dict[int, list[bytes]] = {stream.fileno(): [] for stream in (process.stdout, process.stderr) if stream}
    pidfd = os.pidfd_open(process.pid) if hasattr(os, "pidfd_open") else None
    try:
        why = _read(process, output, pidfd, deadline=time.monotonic() + timeout_s, cancelled=cancelled)
    finally:
        if pidfd is not None:
            os.close(pidfd)
    return ProgramEnd(
        why=why,
        exit_code=exit_code(process),
        stdout=_text(output, process.stdout),
        stderr=_text(output, process.stderr),
    )


def _text(output: Mapping[int, list[bytes]], stream: IO[bytes] | None) -> str:
    return b"".join(output[stream.fileno()]).decode(errors="replace") if stream is not None else ""


def _read(
    process: "subprocess.Popen[bytes]",
    output: Mapping[int, list[bytes]],
    pidfd: int | None,
    *,
    deadline: float,
    cancelled: Callable[[], bool],
) -> Why:
    poller = select.poll()
    unread = set(output)
    for descriptor in output:
        poller.register(descriptor, select.POLLIN)
    if pidfd is not None:
        poller.register(pidfd, select.POLLIN)
    why = Why.EXITED
    gone_at: float | None = None
    while True:
        ready = poller.poll(TICK_S * 1000)
        for descriptor, _ in ready:
            if descriptor == pidfd:
                poller.unregister(descriptor)
            elif chunk := os.read(descriptor, _CHUNK_BYTES):
                output[descriptor].append(chunk)
            else:
                poller.unregister(descriptor)
                unread.discard(descriptor)
        now = time.monotonic()
        if gone_at is None and process.poll() is not None:
            gone_at = now
        if gone_at is not None:
            if not unread or now - gone_at > DRAIN_S:
                return why
        elif now >= deadline or cancelled():
            why = Why.TIMED_OUT if now >= deadline else Why.CANCELLED
            end_tree(process)


def end_tree(leader: "subprocess.Popen[bytes]") -> None:
    """End a program started by ``started`` and everything below it: ask first, then do not ask.

    Found are its descendants, its process group and its session, so children that were orphaned on the way too.

    Raises: ProgramLives.
    """
    family = _family(leader)
    _signal(leader, family, signal.SIGTERM)
    if not _all_gone(leader, family, within_s=TERM_GRACE_S):
        family += [member for member in _family(leader) if member not in family]
        _signal(leader, family, signal.SIGKILL)
        _all_gone(leader, family, within_s=KILL_GRACE_S)
    stragglers = _family(leader)
    _signal(leader, stragglers, signal.SIGKILL)
    _all_gone(leader, stragglers, within_s=KILL_GRACE_S)
    if leader.poll() is None:
        raise ProgramLives(leader)


def _family(leader: "subprocess.Popen[bytes]") -> list[Any]:
    """Return the descendants and the session of the leader, without itself, as psutil's processes."""
    import psutil  # 20 ms to import, and only a program that must be ended needs it

    members = []
    with suppress(psutil.NoSuchProcess):
        members = psutil.Process(leader.pid).children(recursive=True)
    for pid in psutil.pids():
        with suppress(ProcessLookupError, PermissionError, psutil.NoSuchProcess):
            if pid != leader.pid and os.getsid(pid) == leader.pid:
                members.append(psutil.Process(pid))
    return list(dict.fromkeys(members))


def _signal(leader: "subprocess.Popen[bytes]", family: Sequence[Any], number: int) -> None:
    import psutil  # as above

    with suppress(ProcessLookupError, PermissionError):
        os.killpg(leader.pid, number)
    for member in family:
        with suppress(psutil.NoSuchProcess, psutil.AccessDenied):
            member.send_signal(number)


def _all_gone(leader: "subprocess.Popen[bytes]", family: Sequence[Any], *, within_s: float) -> bool:
    end = time.monotonic() + within_s
    while leader.poll() is None or any(map(_lives, family)):
        if time.monotonic() >= end:
            return False
        time.sleep(0.01)
    return True


def _lives(member: Any) -> bool:
    import psutil  # as above

    try:
        return bool(member.is_running()) and member.status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False
