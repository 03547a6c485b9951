"""A host whose last worker stands still or is gone: the operator is told at once, and what to type works."""

import os
import shlex
import signal
from pathlib import Path

import pytest

from tests.support.command_line import Terminal
from tests.support.dask_cluster import DaskCluster
from tests.support.marking import begun, marking_terminal, marks, pid_of
from tests.support.processes import eventually
from tests.support.reports import whole_runs

pytest.importorskip("distributed")

PLAYBOOK = """
name: marking
steps:
  - name: work
    loop: [a, b]
    fan_out: true
    mark.once: {key: "{{ item }}"}
"""


@pytest.fixture
def terminal(tmp_path: Path) -> Terminal:
    return marking_terminal(tmp_path, {"once.yml": PLAYBOOK, "hold": ""})


def warnings(terminal: Terminal) -> list[str]:
    """Return the lines of the newest run's journal that warn."""
    lines = (whole_runs(terminal.folder / "state")[-1] / "events.jsonl").read_text(encoding="utf-8").splitlines()
    return [line for line in lines if '"diagnostic"' in line]


@pytest.mark.contract("T5")
def test_items_that_wait_for_a_worker_are_told_with_what_starts_one(terminal: Terminal, cluster: DaskCluster) -> None:
    """Takes seconds: so long a worker must be silent before it is told of."""
    worker = cluster.start_worker(terminal, "lab1", "--plugins")
    with begun(terminal, "run", "once.yml", "--plugins", "--cluster", cluster.address) as run:
        pid_of(terminal, "a")
        os.kill(worker.pid, signal.SIGSTOP)
        assert eventually(lambda: len(warnings(terminal)) == 1)
        os.kill(worker.pid, signal.SIGCONT)
        assert eventually(lambda: len(warnings(terminal)) == 2)
        os.kill(worker.pid, signal.SIGKILL)
        assert eventually(lambda: len(warnings(terminal)) == 3)
        hint = warnings(terminal)[2].partition("start one there: dce-play ")[2].partition('"')[0]
        cluster.start_worker_with(terminal.argv(*shlex.split(hint)), terminal)
        (terminal.folder / "hold").unlink()
        assert run.wait(timeout=120) == 0
        assert run.stdout is not None
        said = " ".join(run.stdout.read().split())
    assert said.count("no worker of the host lab1 answers; work[a] waits for one") == 2, said
    assert "a worker of the host lab1 answers again" in said
    assert marks(terminal, "effect") == ["a", "b"]
