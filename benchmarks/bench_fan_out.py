"""What fan-out costs and brings: a child run, a thousand items of no work, an audit of several files.

``python -m benchmarks.bench_fan_out [--items 1000] [--files 8] [--size 250MB] [--cluster] [--rounds 3]``

Everything runs in folders of its own, with scheduler and workers on this machine. Trust ratios of one table only: the
ways of an audit take turns, so many rounds, and the best of each counts. ``--items 0`` leaves the first table out.
"""

import argparse
import json
import os
import shutil
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from pathlib import Path

from benchmarks.bench_audit import size_of
from benchmarks.generate import count_for, write_export

_ITEMS = """
name: items
steps:
  - name: work
    loop: "{{ range(%d) | list }}"
    %s
    assert.that: {conditions: ["{{ item >= 0 }}"]}
"""
_AUDIT = """
name: audit
steps:
  - name: audit {{ target.name }}
    loop: "{{ targets }}"
    as: target
    %s
    archive.audit: {target: "{{ target.name }}", full: true}
"""
_FAN = "fan_out: true"


def environment(folder: Path) -> dict[str, str]:
    return {
        "PATH": os.environ["PATH"],
        "HOME": str(folder),
        "DCE_PLAY_STATE_DIR": str(folder / "state"),
        "PYTHONPATH": str(Path(__file__).parents[1]),
    }


def measure(folder: Path, playbook: str, *options: str) -> tuple[float, float]:
    """Return the seconds that a run takes, and its own greatest memory in MiB."""
    argv = [sys.executable, "-m", "dce_play", "run", playbook, *options]
    started = time.perf_counter()
    with (folder / "said").open("wb") as said:
        process = subprocess.Popen(argv, cwd=folder, env=environment(folder), stdout=said, stderr=said)
        _, status, usage = os.wait4(process.pid, 0)
    if os.waitstatus_to_exitcode(status) != 0:
        raise SystemExit((folder / "said").read_text()[-2000:])
    return time.perf_counter() - started, usage.ru_maxrss / 1024


@contextmanager
def cluster(folder: Path) -> Iterator[str]:
    """Give the address of a scheduler with two workers."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    address = f"tcp://127.0.0.1:{port}"
    scheduler = [sys.executable, "-m", "distributed.cli.dask_scheduler", "--port", str(port), "--no-dashboard"]
    worker = [sys.executable, "-m", "dce_play", "worker", "--cluster", address, "--host", "here"]
    started: list[subprocess.Popen[bytes]] = []
    try:
        for argv in (scheduler, worker, worker):
            log = (folder / f"{len(started)}.log").open("wb")
            started.append(subprocess.Popen(argv, cwd=folder, env=environment(folder), stdout=log, stderr=log))
            time.sleep(5)
        yield address
    finally:
        for process in reversed(started):
            process.terminate()
            process.wait()


def items_table(folder: Path, count: int, *, with_cluster: bool) -> None:
    (folder / "plain.yml").write_text(_ITEMS % (count, "tags: none"))
    (folder / "fan.yml").write_text(_ITEMS % (count, _FAN))
    plain, _ = measure(folder, "plain.yml")
    print(f"{count} items of no work\n  plain loop             {plain:7.2f} s")
    for name, options in (("in turn", ()), ("--jobs 1", ("--jobs", "1")), ("--jobs 2", ("--jobs", "2"))):
        seconds, rss = measure(folder, "fan.yml", *options)
        cost = (seconds - plain) / count * 1000
        print(f"  {name:<22} {seconds:7.2f} s   {cost:6.1f} ms more an item   parent {rss:5.0f} MiB")
    if with_cluster:
        with cluster(folder) as address:
            seconds, rss = measure(folder, "fan.yml", "--cluster", address)
            print(f"  {'Dask, 2 workers':<22} {seconds:7.2f} s   {'':23}   parent {rss:5.0f} MiB")


def audit_folder(folder: Path, files: int, size: str) -> None:
    root = folder / "archives"
    targets = [{"name": f"t{number}", "output_dir": str(root / f"t{number}")} for number in range(files)]
    first = root / "t0" / "channel.json"
    for target in targets:
        Path(target["output_dir"]).mkdir(parents=True)
        if first.exists():
            shutil.copy(first, Path(target["output_dir"]) / first.name)
        else:
            write_export(first, range(count_for(size_of(size))))
    (folder / "scrape-targets.json").write_text(json.dumps({"archive_root": str(root), "targets": targets}))
    (folder / "audit.yml").write_text(_AUDIT % _FAN)


def audit_table(folder: Path, files: int, size: str, *, rounds: int, with_cluster: bool) -> None:
    audit_folder(folder, files, size)
    with cluster(folder) if with_cluster else nullcontext() as address:
        ways = {"--jobs 1": ("--jobs", "1"), "--jobs 2": ("--jobs", "2")}
        if address is not None:
            ways["Dask, 2 workers"] = ("--cluster", address)
        took: dict[str, list[float]] = {name: [] for name in ways}
        for _ in range(rounds):
            for name, options in ways.items():
                took[name].append(measure(folder, "audit.yml", *options)[0])
    two = min(took["--jobs 2"])
    print(f"audit of {files} × {size}, best of {rounds}")
    for name, each in took.items():
        every = ", ".join(f"{one:.1f}" for one in each)
        print(f"  {name:<22} {min(each):7.2f} s   {two / min(each):4.2f} × --jobs 2   of {every}")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--items", type=int, default=1000)
    parser.add_argument("--files", type=int, default=8)
    parser.add_argument("--size", default="250MB")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--cluster", action="store_true", help="with Dask too")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="bench-fan-out-") as name:
        folder = Path(name)
        if arguments.items:
            items_table(folder, arguments.items, with_cluster=arguments.cluster)
        audit_table(folder, arguments.files, arguments.size, rounds=arguments.rounds, with_cluster=arguments.cluster)


if __name__ == "__main__":
    main()
