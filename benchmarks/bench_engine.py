"""What a step costs: a no-op step of ours beside doit, invoke and, where it is installed, Ansible.

A step's cost is (T1000 - T1) / 999 of whole processes, so that start-up cancels out. doit and Ansible are not
dependencies: ``pip install doit invoke ansible-core`` in an environment of their own, name its Python with
``PEER_PYTHON`` and put its programs on the ``PATH``.

Run: ``python -m benchmarks.bench_engine [rounds]``. Compare ratios, not milliseconds.
"""

import os
import resource
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from benchmarks.budget import hold
from dce_play.playbook.plan.planning import make_plan
from dce_play.runner.engine import run
from dce_play.runner.settings import RunSettings
from dce_play.steps import STEPS

MANY = 1000
PEER_PYTHON = os.environ.get("PEER_PYTHON", sys.executable)
Maker = Callable[[Path, int], list[str]]


def ours(folder: Path, count: int) -> list[str]:
    """Return the command that runs so many no-op steps, journal and log lines included."""
    path = folder / f"noop{count}.yml"
    steps = "  - assert.that: {conditions: [true]}\n" * count
    path.write_text(f"name: n\nsteps:\n{steps}", encoding="utf-8")
    return [sys.executable, "-m", "dce_play", "run", str(path), "--state-dir", str(folder / "state")]


def doit(folder: Path, count: int) -> list[str]:
    """Return the command for so many Python tasks of doit that do nothing."""
    path = folder / f"dodo{count}.py"
    path.write_text(
        "def noop():\n    pass\n"
        f"def task_n():\n    for n in range({count}):\n        yield {{'name': str(n), 'actions': [noop]}}\n",
        encoding="utf-8",
    )
    return [PEER_PYTHON, "-m", "doit", "-f", str(path), "--db-file", str(folder / f"db{count}")]


def invoke(folder: Path, count: int) -> list[str]:
    """Return the command for so many tasks of invoke that do nothing."""
    home = folder / f"invoke{count}"
    home.mkdir(exist_ok=True)
    tasks = "".join(f"@task\ndef t{n}(c):\n    pass\n" for n in range(count))
    (home / "tasks.py").write_text(f"from invoke import task\n{tasks}", encoding="utf-8")
    return [PEER_PYTHON, "-m", "invoke", "--search-root", str(home), *(f"t{n}" for n in range(count))]


def ansible(folder: Path, count: int) -> list[str]:
    """Return the command for so many ``debug`` tasks."""
    path = folder / f"play{count}.yml"
    tasks = "    - ansible.builtin.debug: {msg: x}\n" * count
    path.write_text(
        f"- hosts: localhost\n  gather_facts: false\n  connection: local\n  tasks:\n{tasks}", encoding="utf-8"
    )
    return [str(shutil.which("ansible-playbook")), "-i", "localhost,", str(path)]


def engine_ms(folder: Path, *, rounds: int) -> float:
    """Return what a step costs the engine alone: reading, checking and planning the YAML left out, journal in."""
    plans = {count: make_plan(Path(ours(folder, count)[4]), STEPS) for count in (1, MANY)}
    spent: dict[int, list[float]] = {1: [], MANY: []}
    for number in range(rounds):
        for count, plan in plans.items():
            name = f"run-{count}-{number}"
            settings = RunSettings(run_id=name, run_folder=folder / name, folder=folder, environment={})
            began = time.process_time()
            run(plan, settings, [])
            spent[count].append(1000 * (time.process_time() - began))
    return (statistics.median(spent[MANY]) - statistics.median(spent[1])) / (MANY - 1)


def has(package: str) -> bool:
    """Return whether the peers' Python has the package."""
    return (
        subprocess.run([PEER_PYTHON, "-c", f"import {package}"], check=False, stderr=subprocess.DEVNULL).returncode == 0
    )


def cpu_ms(argv: list[str], folder: Path) -> float:
    """Return user and system time of a whole process; wall time says more of the neighbours on a shared machine."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    subprocess.run(argv, cwd=folder, check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return 1000 * (after.ru_utime - before.ru_utime + after.ru_stime - before.ru_stime)


def step_ms(maker: Maker, folder: Path, *, rounds: int) -> float:
    """Return what one step costs, the median of several rounds."""
    found = []
    for _ in range(rounds):
        one = cpu_ms(maker(folder, 1), folder)
        many = cpu_ms(maker(folder, MANY), folder)
        found.append((many - one) / (MANY - 1))
    return statistics.median(found)


def main() -> None:
    """Print a line a runner."""
    rounds = int(sys.argv[1]) if len(sys.argv) > 1 else 5
    peers: dict[str, tuple[Maker, bool]] = {
        "dce-play": (ours, True),
        "doit": (doit, has("doit")),
        "invoke": (invoke, has("invoke")),
        "ansible": (ansible, shutil.which("ansible-playbook") is not None),
    }
    with tempfile.TemporaryDirectory() as name:
        own = 0.0
        engine = engine_ms(Path(name), rounds=rounds)
        print(f"{'engine':<10} {engine:8.3f} ms of CPU a no-op step, in one process")
        for peer, (maker, there) in peers.items():
            if not there:
                print(f"{peer:<10} not installed")
                continue
            cost = step_ms(maker, Path(name), rounds=1 if peer == "ansible" else rounds)
            own = own or cost
            print(f"{peer:<10} {cost:8.3f} ms of CPU a no-op step   {cost / own:6.2f} x ours")
    hold("engine", {"engine alone": engine, "whole process": own})


if __name__ == "__main__":
    main()
