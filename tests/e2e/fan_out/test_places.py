"""An item goes on only where it was begun, whoever else is there and whatever the scheduler has forgotten."""

import os
import signal
import subprocess
from pathlib import Path

import pytest

from tests.support.command_line import Terminal
from tests.support.dask_cluster import DaskCluster
from tests.support.marking import begun, marking_terminal, marks, pid_of
from tests.support.processes import eventually, lives

pytest.importorskip("distributed")

PLAYBOOK = """
name: placed
steps:
  - name: work
    loop: [a, b]
    fan_out: true
    on_error: continue
    mark.again: {key: "{{ item }}"}
"""


@pytest.fixture
def terminal(tmp_path: Path) -> Terminal:
    return marking_terminal(tmp_path, {"placed.yml": PLAYBOOK, "hold": ""})


def start(cluster: DaskCluster, terminal: Terminal, host: str, state: str) -> "subprocess.Popen[str]":
    """Start a worker with a state folder of its own."""
    return cluster.start_worker(terminal, host, "--plugins", DCE_PLAY_STATE_DIR=str(terminal.folder / state))


@pytest.mark.contract("T2")
def test_a_new_scheduler_does_not_send_an_item_to_another_host(terminal: Terminal, cluster: DaskCluster) -> None:
    first = start(cluster, terminal, "lab1", "state1")
    with begun(terminal, "run", "placed.yml", "--plugins", "--cluster", cluster.address, spare_items=True) as run:
        pid = pid_of(terminal, "a")
        os.kill(cluster.processes[0].pid, signal.SIGKILL)
        assert run.wait(timeout=60) == 1
    (terminal.folder / "hold").unlink()
    assert eventually(lambda: marks(terminal, "effect") == ["a"] and not lives(pid))
    first.kill()
    cluster.start_scheduler()
    start(cluster, terminal, "lab2", "state2")
    done = terminal.run("resume")
    assert done.code == 1, done.out + done.err
    assert "it was begun on the host lab1" in done.out
    assert sorted(marks(terminal, "effect")) == ["a", "b"]
    start(cluster, terminal, "lab1", "state1")
    done = terminal.run("resume")
    assert done.code == 0, done.out + done.err
    assert sorted(marks(terminal, "effect")) == ["a", "b"]


@pytest.mark.contract("T3")
def test_workers_of_one_host_with_two_state_folders_are_exit_4(terminal: Terminal, cluster: DaskCluster) -> None:
    start(cluster, terminal, "lab1", "state1")
    start(cluster, terminal, "lab1", "state2")
    (terminal.folder / "hold").unlink()
    done = terminal.run("run", "placed.yml", "--plugins", "--cluster", cluster.address)
    assert done.code == 4, done.out + done.err
    assert "the workers of lab1 keep runs in different places" in done.err
    assert marks(terminal, "begun") == []
