"""Real processes for tests: started in a block, gone after it."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path

from tests.support import forked

PATIENCE_S = 60.0


@contextmanager
def running(argv: Sequence[str | Path], *, until: str = "", **options: object) -> Iterator["subprocess.Popen[str]"]:
    """Run a program while the block runs, from when it has said the line ``until``; its session is killed after."""
    process = forked.start(list(map(str, argv)), stdout=subprocess.PIPE, text=True, start_new_session=True, **options)
    with process:
        try:
            if until:
                assert process.stdout is not None
                said = process.stdout.readline()
                assert said == f"{until}\n", said
            yield process
        finally:
            with suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)


def python(script: str, *arguments: object) -> list[str]:
    """Return the argv of a Python script."""
    return [sys.executable, "-c", script, *map(str, arguments)]


def as_nobody(script: str, *arguments: object) -> list[str]:
    """Return the argv of a Python script that is another user's once its first part, its imports, is done.

    The parts are divided by a line of dashes; later imports would fail, as the interpreter's files may be root's.
    """
    first, _, second = script.partition("---\n")
    return python(
        f"import encodings.ascii, filelock, os\n{first}os.setgid(65534); os.setuid(65534)\n{second}", *arguments
    )


def eventually(holds: Callable[[], bool]) -> bool:
    """Return whether something becomes true; how soon is not the question."""
    end = time.monotonic() + PATIENCE_S
    while not holds():
        if time.monotonic() > end:
            return False
        time.sleep(0.01)
    return True


def lives(pid: int) -> bool:
    """Return whether a process runs; a zombie does not."""
    try:
        state = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8").rpartition(")")[2].split()[0]
    except (FileNotFoundError, ProcessLookupError):
        return False
    return state not in {"Z", "X"}


def children(pid: int) -> list[int]:
    """Return the processes that a process has started and that run."""
    found: list[int] = []
    for path in Path(f"/proc/{pid}/task").glob("*/children"):
        with suppress(FileNotFoundError, ProcessLookupError):  # a thread that has ended
            found += map(int, path.read_text(encoding="utf-8").split())
    return [child for child in found if lives(child)]


_LAUNCHER = """
import resource, subprocess, sys
code = subprocess.run(sys.argv[1:], stdout=subprocess.DEVNULL).returncode
print(code, resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss)
"""


def peak_mib(argv: Sequence[str | Path], **options: object) -> int:
    """Run a program to its good end and return how much memory it had at most.

    A small launcher starts it: a program that we fork counts what we have as its own until it is executed.
    """
    command = [sys.executable, "-S", "-c", _LAUNCHER, *map(str, argv)]
    told = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True, **options)  # type: ignore[call-overload]  # a test's own options
    code, kib = told.stdout.split()
    assert code == "0"
    return int(kib) // 1024
