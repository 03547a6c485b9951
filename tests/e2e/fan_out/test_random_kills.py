"""Worker, scheduler and parent are killed at random: each item's effect happens once, and the recap is true."""

import json
import os
import random
import re
import signal
import subprocess
import time
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from tests.support.command_line import Terminal, terminal_in
from tests.support.dask_cluster import DaskCluster, dask_cluster
from tests.support.marking import begun, marks, write_steps
from tests.support.processes import eventually
from tests.support.reports import whole_runs

pytest.importorskip("distributed")

ITEMS = [f"item{number}" for number in range(6)]
EFFECTS = {f"{item}-{step}" for item in ITEMS for step in ("one", "two")}
_NAP_S = 0.15
PLAYBOOK = f"""
name: killed
steps:
  - name: work
    loop: [{", ".join(ITEMS)}]
    fan_out: true
    block:
      - name: one
        mark.once: {{key: "{{{{ item }}}}-one", hold: never, nap_s: {_NAP_S}}}
      - name: two
        mark.again: {{key: "{{{{ item }}}}-two", hold: never, nap_s: {_NAP_S}}}
"""
WORKERS = {"lab": 2, "far": 1}
"""How many workers a host has. Those of one host share a state folder, and no two hosts do."""
GOOD = {"changed", "reused"}
HEAD = f"{'kills':<32} {'ends':<18} items effects doubled lost recap"


@dataclass(slots=True)
class Round:
    """What one run went through, and what came of it: a row of the table."""

    kills: list[str] = field(default_factory=list)
    ends: list[int] = field(default_factory=list)
    lies: list[str] = field(default_factory=list)
    """What a report or a recap said that is not so."""
    effects: Counter[str] = field(default_factory=Counter)

    def __str__(self) -> str:
        done = sum(len({f"{item}-one", f"{item}-two"} & self.effects.keys()) == 2 for item in ITEMS)
        doubled, lost = sum(self.effects.values()) - len(self.effects), len(EFFECTS - self.effects.keys())
        kills, ends = " ".join(self.kills), " ".join(map(str, self.ends))
        recap = "; ".join(self.lies) or "true"
        return f"{kills:<32} {ends:<18} {done:5} {sum(self.effects.values()):7} {doubled:7} {lost:4} {recap}"

    @property
    def good(self) -> bool:
        return not self.lies and self.effects == Counter(EFFECTS) and self.ends[-1] in {0, 5}


@dataclass(slots=True)
class Lab:
    """A project, and a cluster that is killed and healed."""

    terminal: Terminal
    cluster: DaskCluster
    dice: random.Random
    workers: dict[int, str] = field(default_factory=dict)
    """The host of each worker that was started, by its process."""

    def one_round(self, parts: list[str], pause: Callable[["subprocess.Popen[str]"], None], *, most: int = 3) -> Round:
        """Kill one part after another while a run goes on, and go on with it until it ends well.

        ``pause`` returns when the next one is to be killed, or the run has ended.
        """
        (self.terminal.folder / "marks").unlink(missing_ok=True)
        told, before = Round(), len(whole_runs(self.terminal.folder / "state"))
        words = ["run", "killed.yml", "--plugins", "--cluster", self.cluster.address]
        for _ in range(10):
            self.heal()
            with begun(self.terminal, *words, spare_items=True) as run:
                while run.poll() is None and len(told.kills) < most:
                    pause(run)
                    if run.poll() is None:
                        told.kills.append(self.kill(run.pid, self.dice.choice(parts)))
                        self.heal()
                told.ends.append(run.wait(timeout=120))
                assert run.stdout is not None
                said = run.stdout.read()
            self.rest()
            folders = whole_runs(self.terminal.folder / "state")
            if len(folders) > before:  # else it ended with 4, before it began
                words = ["resume"]
                told.lies += lies(self.terminal, folders[-1], said)
            if told.ends[-1] == 0 or (told.ends[-1] == 5 and words == ["resume"]):
                break  # 5: it was killed when it had ended, so that nothing is left to resume; the effects say whether
        told.effects = Counter(marks(self.terminal, "effect"))
        return told

    def some_steps(self, run: "subprocess.Popen[str]") -> None:
        """Wait until one to three further steps have begun, and a moment, so that a kill meets them anywhere."""
        wanted = len(marks(self.terminal, "begun")) + self.dice.randint(1, 3)
        assert eventually(lambda: len(marks(self.terminal, "begun")) >= wanted or run.poll() is not None)
        time.sleep(self.dice.uniform(0.0, _NAP_S))

    def some_time(self, _run: "subprocess.Popen[str]") -> None:
        """Wait for up to seconds, so that a kill also meets what is before the steps and after them."""
        time.sleep(self.dice.uniform(0.2, 3.0))

    def kill(self, parent: int, part: str) -> str:
        """Kill a part; return what it was."""
        living = [process for process in self.cluster.processes if process.poll() is None]
        workers = [process for process in living if process.pid in self.workers]
        scheduler = [process for process in living if process.pid not in self.workers]
        killed = {"worker": self.dice.sample(workers, min(1, len(workers))), "scheduler": scheduler}.get(part)
        if killed is None:
            os.kill(parent, signal.SIGKILL)
        for process in killed or ():
            process.kill()
            process.wait()
        return part

    def heal(self) -> None:
        """Start what is missing: the scheduler, and the workers of each host."""
        if not self.cluster.listens():
            for process in self.cluster.processes:
                process.kill()  # workers of the scheduler that is gone
                process.wait()
            self.cluster.start_scheduler()
        for host, wanted in WORKERS.items():
            there = [each for each in self.cluster.processes if self.workers.get(each.pid) == host]
            for _ in range(wanted - sum(each.poll() is None for each in there)):
                state = str(self.terminal.folder / ("state" if host == "lab" else f"state-{host}"))
                started = self.cluster.start_worker(self.terminal, host, "--plugins", DCE_PLAY_STATE_DIR=state)
                self.workers[started.pid] = host

    def rest(self) -> None:
        """Let the items that are at work go to their end: nothing is under way, and nothing new begins for a while."""
        quiet = 0
        while quiet < 15:
            time.sleep(0.1)
            under_way = set(marks(self.terminal, "begun")) - set(marks(self.terminal, "effect"))
            quiet = 0 if under_way else quiet + 1


def lies(terminal: Terminal, folder: Path, said: str) -> list[str]:
    """Return what is wrong with what a run has told: its journal, its report, its recap."""
    found = []
    journal = (folder / "events.jsonl").read_text(encoding="utf-8").split("\n")[:-1]
    if [json.loads(line)["seq"] for line in journal] != list(range(1, len(journal) + 1)):
        found.append("the journal has gaps")
    if not (folder / "report.json").exists():
        return found  # it was killed
    report: dict[str, Any] = json.loads((folder / "report.json").read_text(encoding="utf-8"))
    steps = {step["id"]: step["status"] for step in report["steps"] if step["uses"].startswith("mark.")}
    good = {name.removeprefix("work[").replace("]/", "-") for name, status in steps.items() if status in GOOD}
    if not good <= set(marks(terminal, "effect")):
        found.append(f"{good - set(marks(terminal, 'effect'))} are said to be done")
    if report["outcome"] == "ok" and good != EFFECTS:
        found.append(f"ok without {EFFECTS - good}")
    counted = re.search(r"^OK +(.*)$", said, re.MULTILINE)
    if counted is not None and said_counts(counted[1]) != Counter(steps.values()):
        found.append(f"the recap says {counted[1]}")
    return found


def said_counts(text: str) -> Counter[str]:
    """Return the counts of a recap's line: ``4 changed · 2 reused · 1 m 3 s``."""
    return Counter({status: int(count) for count, status in re.findall(r"(\d+) (ok|changed|reused|failed)", text)})


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "cluster").mkdir()
    return tmp_path


def lab_in(folder: Path, seed: int | str) -> Iterator[Lab]:
    terminal = terminal_in(folder)
    write_steps(terminal)
    terminal.write("killed.yml", PLAYBOOK)
    with dask_cluster(folder / "cluster") as cluster:
        yield Lab(terminal, cluster, random.Random(seed))


@pytest.mark.contract("T7")
@pytest.mark.parametrize("part", ["worker", "scheduler", "parent"])
def test_every_effect_happens_once(folder: Path, part: str) -> None:
    for lab in lab_in(folder, part):
        told = lab.one_round([part], lab.some_steps)
        assert told.good, f"\n{HEAD}\n{told}"
        assert told.kills


@pytest.mark.contract("T7")
@pytest.mark.soak
@pytest.mark.timeout(7200)
def test_every_effect_happens_once_200_times(folder: Path) -> None:
    seed = int(os.environ.get("DCE_PLAY_SOAK_SEED") or random.SystemRandom().randrange(10**6))
    table = folder / "table.txt"
    table.write_text(f"seed {seed} (DCE_PLAY_SOAK_SEED={seed} does it again)\n{HEAD}\n", encoding="utf-8")
    kills = 0
    for lab in lab_in(folder, seed):
        while kills < 200:
            told = lab.one_round(["worker", "scheduler", "parent"], lab.some_time, most=min(3, 200 - kills))
            kills += len(told.kills)
            with table.open("a", encoding="utf-8") as out:
                out.write(f"{told}\n")
            assert told.good, table.read_text(encoding="utf-8")
    print(f"{table.read_text(encoding='utf-8')}{kills} kills")
