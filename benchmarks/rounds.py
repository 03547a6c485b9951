"""Programs measured side by side: whole processes, round-robin, medians of wall time and CPU time, greatest memory.

A busy moment hits all rows of one loop alike: trust the ratios of one table. That of wall time is what somebody who
waits sees; that of CPU time is what the machine pays, and what other work on it distorts least.
"""

import os
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

REPOSITORY = Path(__file__).parents[1]


@dataclass
class Row:
    """One program."""

    name: str
    argv: Sequence[str]
    before: Callable[[], object] = lambda: None
    """Runs before each measurement."""
    walls: list[float] = field(default_factory=list)
    cpus: list[float] = field(default_factory=list)
    rss_mb: float = 0.0

    def measure(self) -> None:
        """Run the program once."""
        self.before()
        os.sync()
        started = time.perf_counter()
        with Path(os.devnull).open("wb") as nowhere:
            process = subprocess.Popen(self.argv, stdout=nowhere, cwd=REPOSITORY)
            _, status, usage = os.wait4(process.pid, 0)
        if os.waitstatus_to_exitcode(status) != 0:
            raise SystemExit(f"{self.name} failed: {status}")
        self.walls.append(time.perf_counter() - started)
        self.cpus.append(usage.ru_utime + usage.ru_stime)
        self.rss_mb = max(self.rss_mb, usage.ru_maxrss / 1024)


def python_row(name: str, *arguments: str, before: Callable[[], object] = lambda: None) -> Row:
    """Return a row that runs one of ``benchmarks.archive_job``'s jobs."""
    return Row(name, (sys.executable, "-m", "benchmarks.archive_job", *arguments), before)


def run_rounds(rows: Sequence[Row], *, repeat: int, size_bytes: int, base: str) -> dict[str, float]:
    """Measure all rows in turn, print the table, and return the median CPU seconds by name.

    Ratios, of wall time and then of CPU time, are to the row called ``base``.
    """
    for _ in range(repeat):
        for row in rows:
            row.measure()
    walls = {row.name: statistics.median(row.walls) for row in rows}
    cpus = {row.name: statistics.median(row.cpus) for row in rows}
    print(f"{'to ' + base:38} {'x wall':>7} {'x cpu':>7} {'wall ms':>9} {'cpu ms':>9} {'MB/s':>7} {'rss MB':>7}")
    for row in rows:
        wall, cpu = walls[row.name], cpus[row.name]
        ratios = f"{wall / walls[base]:7.2f} {cpu / max(cpus[base], 1e-9):7.2f}"
        speed = size_bytes / 1e6 / wall
        print(f"{row.name:38} {ratios} {wall * 1e3:9.0f} {cpu * 1e3:9.0f} {speed:7.0f} {row.rss_mb:7.0f}")
    return cpus
