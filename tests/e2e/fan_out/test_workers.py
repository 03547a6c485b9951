"""The processes of a worker: one is ready before anybody asks, and none is left when a run is gone, however it went."""

import os
import signal
import subprocess
from pathlib import Path

import pytest

from tests.support.command_line import Terminal
from tests.support.dask_cluster import DaskCluster
from tests.support.marking import begun, marking_terminal, marks, pid_of
from tests.support.processes import children, eventually, lives

pytest.importorskip("distributed")

PLAYBOOK = """
name: marking
steps:
  - name: work
    loop: [a, b]
    fan_out: true
    mark.again: {key: "{{ item }}"}
"""


@pytest.fixture
def terminal(tmp_path: Path) -> Terminal:
    return marking_terminal(tmp_path, {"again.yml": PLAYBOOK})


def spare_of(worker: "subprocess.Popen[str]") -> int:
    """Return the only process that a worker has."""
    assert eventually(lambda: len(children(worker.pid)) == 1)
    return children(worker.pid)[0]


@pytest.mark.contract("T5")
def test_the_first_item_begins_in_a_process_that_was_ready_and_that_nobody_misses(
    terminal: Terminal, cluster: DaskCluster
) -> None:
    worker = cluster.start_worker(terminal, "lab1", "--plugins")
    ready = spare_of(worker)
    assert terminal.run("run", "again.yml", "--plugins", "--cluster", cluster.address).code == 0
    assert {pid_of(terminal, "a"), pid_of(terminal, "b")} == {ready}
    assert eventually(lambda: children(worker.pid) not in ([], [ready]) and not lives(ready))
    following = spare_of(worker)
    os.kill(following, signal.SIGKILL)
    assert eventually(lambda: not lives(following))
    done = terminal.run("run", "again.yml", "--plugins", "--cluster", cluster.address)
    assert done.code == 0, done.out + done.err
    assert marks(terminal, "effect") == ["a", "b", "a", "b"]


@pytest.mark.contract("T5")
def test_a_killed_run_leaves_its_worker_the_ready_process_and_a_killed_worker_none(
    terminal: Terminal, cluster: DaskCluster
) -> None:
    """Takes seconds: so long a worker waits for a further item before it takes its run for gone."""
    worker = cluster.start_worker(terminal, "lab1", "--plugins", "--slots", "2")
    terminal.write("hold", "")
    with begun(terminal, "run", "again.yml", "--plugins", "--cluster", cluster.address) as run:
        items = {pid_of(terminal, "a"), pid_of(terminal, "b")}
        os.kill(run.pid, signal.SIGKILL)
        run.wait()
        assert set(children(worker.pid)) == items
        (terminal.folder / "hold").unlink()
        assert eventually(lambda: not any(lives(pid) for pid in items))
    assert sorted(marks(terminal, "effect")) == ["a", "b"]
    ready = spare_of(worker)
    os.kill(worker.pid, signal.SIGKILL)
    worker.wait()
    assert eventually(lambda: not lives(ready))
