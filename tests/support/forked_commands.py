"""Many command lines at once, each in a process of its own."""

import os
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.support import forked


@dataclass(frozen=True, slots=True, kw_only=True)
class Command:
    """One command line; ``out`` gets both streams."""

    words: Sequence[str]
    folder: Path
    environment: Mapping[str, str]
    out: Path

    def start(self) -> "subprocess.Popen[Any]":
        """Begin it."""
        with self.out.open("ab") as out:
            return forked.start(
                [sys.executable, "-m", "dce_play", *self.words],
                cwd=self.folder,
                env=self.environment,
                stdin=subprocess.DEVNULL,
                stdout=out,
                stderr=out,
            )


@dataclass(frozen=True, slots=True, kw_only=True)
class Ended:
    """How one ended. ``code`` is ``None`` where it had to be killed."""

    code: int | None
    seconds: float
    processor_s: float


def run_all(commands: Sequence[Command], *, at_once: int, limit_s: float) -> list[Ended]:
    """Run the commands, so many at once; whichever takes longer than the limit is killed."""
    waiting = list(enumerate(commands))[::-1]
    running: dict[int, tuple[subprocess.Popen[Any], float]] = {}
    ended: dict[int, Ended] = {}
    while waiting or running:
        while waiting and len(running) < at_once:
            number, command = waiting.pop()
            running[number] = (command.start(), time.monotonic())
        for number, (process, began) in [*running.items()]:
            took = time.monotonic() - began
            pid, status, usage = os.wait4(process.pid, os.WNOHANG)
            if pid:
                process.returncode = code = os.waitstatus_to_exitcode(status)
                in_time = None if took > limit_s and code < 0 else code
                ended[number] = Ended(code=in_time, seconds=took, processor_s=usage.ru_utime + usage.ru_stime)
                del running[number]
            elif took > limit_s:
                process.kill()
        time.sleep(0.02)
    return [ended[number] for number in range(len(commands))]
