"""Worker, scheduler and parent are killed at random: each item's effect happens once, and the recap is true."""

import json
import os
import random
import signal
import time
from pathlib import Path

import pytest

from tests.support.command_line import Terminal, terminal_in
from tests.support.dask_cluster import DaskCluster, dask_cluster
from tests.support.marking import begun, marks, write_steps
from tests.support.reports import whole_runs

pytest.importorskip("distributed")

ITEMS = [f"item{number}" for number in range(6)]
PLAYBOOK = f"""
name: killed
steps:
  - name: work
    loop: [{", ".join(ITEMS)}]
    fan_out: true
    block:
      - name: one
        mark.once: {{key: "{{{{ item }}}}-one", hold: never, nap_s: 0.15}}
      - name: two
        mark.again: {{key: "{{{{ item }}}}-two", hold: never, nap_s: 0.15}}
"""


@pytest.mark.contract("T7")
@pytest.mark.parametrize("part", ["worker", "scheduler", "parent"])
def test_every_effect_happens_once(tmp_path: Path, part: str) -> None:
    one_round(tmp_path, random.Random(part), [part])


@pytest.mark.soak
@pytest.mark.timeout(7200)
def test_every_effect_happens_once_200_times(tmp_path: Path) -> None:
    dice = random.Random(1)
    kills = 0
    while kills < 200:
        folder = tmp_path / str(kills)
        folder.mkdir()
        kills += one_round(folder, dice, ["worker", "scheduler", "parent"])


def one_round(folder: Path, dice: random.Random, parts: list[str]) -> int:
    """Kill one part after another while a run goes on, go on with it until it ends well; return how many kills."""
    terminal = terminal_in(folder)
    write_steps(terminal)
    terminal.write("killed.yml", PLAYBOOK)
    (folder / "cluster").mkdir()
    kills = 0
    with dask_cluster(folder / "cluster") as cluster:
        words = ["run", "killed.yml", "--plugins", "--cluster", cluster.address]
        for _ in range(10):
            _heal(cluster, terminal)
            with begun(terminal, *words, spare_items=True) as run:
                while run.poll() is None and kills < 3:
                    time.sleep(dice.uniform(0.5, 3.0))
                    if run.poll() is None:
                        _kill(cluster, run.pid, dice.choice(parts))
                        kills += 1
                        _heal(cluster, terminal)
                code = run.wait(timeout=120)
                _rest(terminal)
            if whole_runs(terminal.folder / "state"):  # else it ended with 4, before it began
                words = ["resume"]
            if code == 0 or (code == 5 and words == ["resume"]):
                break  # 5: it was killed when it had ended, so that nothing is left to resume; the effects say whether
        assert code in {0, 5}
    effects = marks(terminal, "effect")
    assert sorted(effects) == sorted(f"{item}-{step}" for item in ITEMS for step in ("one", "two"))
    report = json.loads((whole_runs(folder / "work" / "state")[-1] / "report.json").read_text(encoding="utf-8"))
    statuses = {step["id"]: step["status"] for step in report["steps"] if step["uses"].startswith("mark.")}
    assert sorted(statuses) == sorted(f"work[{item}]/{step}" for item in ITEMS for step in ("one", "two"))
    assert set(statuses.values()) <= {"changed", "reused"}
    return kills


def _kill(cluster: DaskCluster, parent: int, part: str) -> None:
    living = [process for process in cluster.processes if process.poll() is None]
    scheduler = [process for process in living if process.args[1:3] == ["-m", "distributed.cli.dask_scheduler"]]  # type: ignore[index]
    workers = [process for process in living if process not in scheduler]
    pids = {"worker": workers[:1], "scheduler": scheduler}.get(part)
    for pid in [parent] if pids is None else [process.pid for process in pids]:
        os.kill(pid, signal.SIGKILL)
    for process in pids or ():
        process.wait()


def _heal(cluster: DaskCluster, terminal: Terminal) -> None:
    """Start what is missing: the scheduler, and two workers of one host."""
    if not cluster.listens():
        cluster.start_scheduler()
        for process in cluster.processes[:-1]:
            process.kill()  # workers of the scheduler that is gone
            process.wait()
    workers = [process for process in cluster.processes if process.poll() is None and "worker" in process.args]  # type: ignore[operator]
    for _ in range(2 - len(workers)):
        cluster.start_worker(terminal, "lab", "--plugins")


def _rest(terminal: Terminal) -> None:
    """Let the items that are at work go to their end: nothing is under way, and nothing new begins for a while."""
    quiet = 0
    while quiet < 15:
        time.sleep(0.1)
        quiet = 0 if set(marks(terminal, "begun")) - set(marks(terminal, "effect")) else quiet + 1
