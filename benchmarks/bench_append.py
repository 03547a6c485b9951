"""How long an append takes, beside the programs that do the same or less: jq, cp, cat, sha256.

``python -m benchmarks.bench_append [--sizes 10MB,100MB,1GB] [--jq-up-to 100MB] [--repeat 5]``

Everything of one size runs round-robin in one loop, so that a busy moment hits all alike: trust the ratios of one
table. The in-process rows time ``append`` itself on a recorded file; the first append to a file that nobody recorded
reads it once (the row ``first``). ``command`` rows are whole processes. Files are synced before each row.
"""

import argparse
import os
import resource
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

from benchmarks.generate import CHANNEL_ID, count_for, write_export
from dce_play.discord.archive.append.append import AppendOptions, append
from dce_play.discord.archive.records.cursor import read_cursor, remember
from dce_play.layout import TargetLayout
from dce_play.system.clock import SystemClock
from dce_play.system.durable.disk import Disk

COUNTS = (1, 100, 1_000, 10_000)
UNITS = {"KB": 10**3, "MB": 10**6, "GB": 10**9}
JQ_MERGE = ".[0] as $a | .[1] as $b | $a + {messages: ($a.messages + $b.messages | unique_by(.id))}"


class CountingDisk(Disk):
    """Counts what is written and synced."""

    def __init__(self) -> None:
        self.written = 0
        self.syncs = 0

    def write_at(self, descriptor: int, data: bytes, offset: int) -> None:
        self.written += len(data)
        super().write_at(descriptor, data, offset)

    def sync(self, descriptor: int) -> None:
        self.syncs += 1
        super().sync(descriptor)

    def sync_folder(self, folder: Path) -> None:
        self.syncs += 1
        super().sync_folder(folder)


@dataclass
class Row:
    """One thing measured: wall times and the greatest resident size."""

    name: str
    action: Callable[[], int]
    times_ms: list[float] = field(default_factory=list)
    rss_mib: float = 0.0

    def run(self) -> None:
        os.sync()
        begin = time.perf_counter()
        rss_kib = self.action()
        self.times_ms.append((time.perf_counter() - begin) * 1000)
        self.rss_mib = max(self.rss_mib, rss_kib / 1024)

    @property
    def median_ms(self) -> float:
        return statistics.median(self.times_ms)


class Bench:
    """One size: the channel file, its deltas, and the rows measured on them."""

    def __init__(self, folder: Path, size_bytes: int) -> None:
        self.layout = TargetLayout(folder)
        self.count = count_for(size_bytes)
        self.pristine = write_export(folder / "pristine", range(self.count))
        self.archive = folder / f"bench [{CHANNEL_ID}].json"
        shutil.copy(self.pristine, self.archive)
        self.size_bytes = self.pristine.stat().st_size
        self.deltas = {
            count: write_export(folder / f"delta-{count}", range(self.count, self.count + count)) for count in COUNTS
        }
        self.reset(recorded=True)
        self.cost(1)  # imports what an append imports, so that forked children have it

    def reset(self, *, recorded: bool) -> None:
        """Cut the channel file back to what it was."""
        with self.pristine.open("rb") as pristine, self.archive.open("r+b") as archive:
            start = max(self.size_bytes - 4096, 0)
            pristine.seek(start)
            archive.seek(start)
            archive.write(pristine.read())
            archive.truncate()
        shutil.rmtree(self.layout.meta, ignore_errors=True)
        if recorded:
            remember(self.archive, read_cursor(self.archive, layout=self.layout), layout=self.layout)

    def rows(self, *, jq: bool) -> list[Row]:
        rows = [
            Row("cat > /dev/null", lambda: _child(["cat", str(self.archive)])),
            Row("cp", lambda: _child(["cp", str(self.archive), str(self.archive.with_name("copy"))])),
            Row("sha256sum", lambda: _child(["sha256sum", str(self.archive)])),
            Row("first append of 1000 (reads the file once)", lambda: self._append(1_000, recorded=False)),
            *(Row(f"append {count}, in process", partial(self._append, count)) for count in COUNTS),
            *(Row(f"append {count}, command", partial(self._command, count)) for count in COUNTS),
        ]
        if jq:
            rows.append(Row("jq -s merge of 1000", self._jq))
        return rows

    def cost(self, count: int) -> tuple[int, int, int]:
        """Return size of the delta, bytes written and fsyncs of one append."""
        self.reset(recorded=True)
        disk = CountingDisk()
        append(self.archive, [self.deltas[count]], _options(), layout=self.layout, clock=SystemClock(), disk=disk)
        return self.deltas[count].stat().st_size, disk.written, disk.syncs

    def _append(self, count: int, *, recorded: bool = True) -> int:
        """Append in a forked process, so that each has its own resident size; the time is told by the child."""
        self.reset(recorded=recorded)
        os.sync()
        reader, writer = os.pipe()
        child = os.fork()
        if child == 0:
            begin = time.perf_counter()
            append(self.archive, [self.deltas[count]], _options(), layout=self.layout, clock=SystemClock())
            elapsed = time.perf_counter() - begin
            rss = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
            os.write(writer, f"{elapsed} {rss}".encode())
            os._exit(0)
        os.close(writer)
        elapsed_s, rss_kib = os.read(reader, 100).split()
        os.close(reader)
        os.waitpid(child, 0)
        raise Measured(float(elapsed_s), int(rss_kib))

    def _command(self, count: int) -> int:
        self.reset(recorded=True)
        os.sync()
        argv = [sys.executable, "-m", "tests.faults.append_once", str(self.archive), str(self.deltas[count])]
        begin = time.perf_counter()
        rss_kib = _child(argv)
        raise Measured(time.perf_counter() - begin, rss_kib)

    def _jq(self) -> int:
        return _child(["jq", "-s", JQ_MERGE, str(self.archive), str(self.deltas[1_000])])


class Measured(Exception):
    """An action that took its time itself, leaving out what went before."""

    def __init__(self, elapsed_s: float, rss_kib: int) -> None:
        super().__init__()
        self.elapsed_s = elapsed_s
        self.rss_kib = rss_kib


def measure(row: Row) -> None:
    """Run a row once."""
    try:
        row.run()
    except Measured as measured:
        row.times_ms.append(measured.elapsed_s * 1000)
        row.rss_mib = max(row.rss_mib, measured.rss_kib / 1024)


def show(bench: Bench, rows: list[Row]) -> None:
    """Print one size's table."""
    base = {name: next(row.median_ms for row in rows if row.name == name) for name in ("cat > /dev/null", "cp")}
    jq = next((row.median_ms for row in rows if row.name.startswith("jq")), None)
    print(f"\n{bench.size_bytes / 1e6:.0f} MB, {bench.count} messages")
    print(f"{'':44}{'ms':>10}{'RSS MiB':>9}{'x cat':>8}{'x cp':>8}{'jq is':>9}")
    for row in rows:
        faster = f"{jq / row.median_ms:8.0f}x" if jq else ""
        ratios = f"{row.median_ms / base['cat > /dev/null']:8.2f}{row.median_ms / base['cp']:8.2f}"
        print(f"{row.name:44}{row.median_ms:10.1f}{row.rss_mib:9.0f}{ratios}{faster}")
    for count in COUNTS:
        delta, written, syncs = bench.cost(count)
        print(f"append {count}: delta {delta} bytes, written {written} (+{written - delta}), {syncs} fsyncs")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--sizes", default="10MB,100MB")
    parser.add_argument("--jq-up-to", default="100MB")
    parser.add_argument("--repeat", type=int, default=5)
    arguments = parser.parse_args()
    medians: dict[str, list[float]] = {}
    for size in arguments.sizes.split(","):
        with tempfile.TemporaryDirectory(prefix="bench-append-") as folder:
            bench = Bench(Path(folder), _bytes(size))
            jq = shutil.which("jq") is not None and _bytes(size) <= _bytes(arguments.jq_up_to)
            rows = bench.rows(jq=jq)
            for _ in range(arguments.repeat):
                for row in rows:
                    measure(row)
            show(bench, rows)
            for row in rows:
                medians.setdefault(row.name, []).append(row.median_ms)
    print("\nlargest file / smallest file")
    for name, values in medians.items():
        if len(values) > 1 and "append" in name:
            print(f"{name:44}{values[-1] / values[0]:10.2f}x")


def _options() -> AppendOptions:
    return AppendOptions(run_id="bench", exporter="bench")


def _child(argv: list[str]) -> int:
    """Run a program to its end and return its greatest resident size in KiB."""
    with subprocess.Popen(argv, stdout=subprocess.DEVNULL) as process:
        _, status, usage = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode != 0:
        sys.exit(f"{argv[0]} ended with {process.returncode}")
    return usage.ru_maxrss


def _bytes(size: str) -> int:
    return int(size[:-2]) * UNITS[size[-2:].upper()]


if __name__ == "__main__":
    main()
