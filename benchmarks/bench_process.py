"""What a program and a lock cost beside the bare system calls, in one process, round by round.

Run by hand: ``python benchmarks/bench_process.py``. Trust the ratios, not the times.
"""

import fcntl
import os
import statistics
import subprocess
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from dce_play.discord.lock.archive_lock import archive_lock
from dce_play.system.lock.file_lock import flock_file
from dce_play.system.lock.status import lock_status
from dce_play.system.process.executor import Command, LocalExecutor
from dce_play.system.redact import Masker

ROUNDS = 15
CALLS = 20
TRUE = "/bin/true"


def measure(cases: dict[str, Callable[[], object]]) -> dict[str, float]:
    """Return the median milliseconds of a call, the cases taking turns."""
    for call in cases.values():
        call()
    times: dict[str, list[float]] = {name: [] for name in cases}
    for _ in range(ROUNDS):
        for name, call in cases.items():
            begun = time.perf_counter()
            for _ in range(CALLS):
                call()
            times[name].append((time.perf_counter() - begun) / CALLS * 1000)
    return {name: statistics.median(values) for name, values in times.items()}


def show(title: str, medians: dict[str, float]) -> None:
    """Print each case and how many times the first one it takes."""
    print(title)
    yardstick = next(iter(medians.values()))
    for name, milliseconds in medians.items():
        print(f"  {name:42} {milliseconds:8.3f} ms  {milliseconds / yardstick:6.2f}x")


def main() -> None:
    executor = LocalExecutor(os.environ, Masker())
    command = Command(argv=(TRUE,), timeout_s=10.0)
    programs: dict[str, Callable[[], object]] = {
        "posix_spawn and wait": lambda: os.waitpid(os.posix_spawn(TRUE, [TRUE], os.environ), 0),
        "subprocess.run, captured": lambda: subprocess.run([TRUE], capture_output=True, check=True),
        "LocalExecutor.run": lambda: executor.run(command),
        "LocalExecutor.run, lines live": lambda: executor.run(command, on_line=lambda _stream, _line: None),
    }
    show("one program", measure(programs))
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        file = folder / "file"
        file.touch()
        lock = archive_lock(folder, environment={}, command="benchmark")

        def raw() -> None:
            descriptor = os.open(file, os.O_RDONLY)
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            os.close(descriptor)

        def ours() -> None:
            with flock_file(file):
                pass

        def durable_file() -> None:
            descriptor = os.open(folder / "note", os.O_WRONLY | os.O_CREAT)
            os.write(descriptor, b"x")
            os.fsync(descriptor)
            os.close(descriptor)

        locks: dict[str, Callable[[], object]] = {
            "flock of one file": raw,
            "flock_file": ours,
            "one small file with fsync": durable_file,
            "ArchiveLock, with its durable note": lambda: lock.acquire().release(),
            "lock_status of a free lock": lambda: lock_status(lock.path),
        }
        show("one lock", measure(locks))


if __name__ == "__main__":
    main()
