"""``run --cluster``: a real scheduler and real workers, refused, killed, stopped, lost; every effect happens once."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

from tests.support.command_line import Said, Terminal, terminal_in
from tests.support.dask_cluster import DaskCluster
from tests.support.marking import begun, marks, pid_of, write_steps
from tests.support.processes import eventually, lives
from tests.support.reports import whole_runs

pytest.importorskip("distributed")

PLAYBOOK = """
name: marking
steps:
  - name: first
    mark.again: {key: first, hold: never}
  - name: work
    loop: [a, b, c, d]
    fan_out: true
    on_error: continue
    mark.STEP: {key: "{{ item }}"}
"""
TARGETS = """
name: placed
params:
  key: {type: secret, default: "env:PLACE_KEY", help: A secret that every host has of its own}
steps:
  - name: first
    mark.again: {key: first, hold: never}
  - name: work
    loop: "{{ targets }}"
    fan_out: true
    register: done
    command.run:
      argv: [sh, -c, 'echo "$WORKER $(printenv KEY | cksum)"']
      secret_env: {KEY: "{{ params.key }}"}
  - name: tell
    report.say: {text: "{{ done | map(attribute='stdout') | map('trim') | join(' and ') }}"}
"""


@pytest.fixture
def terminal(tmp_path: Path) -> Terminal:
    made = terminal_in(tmp_path)
    write_steps(made)
    for step in ("again", "once", "archive"):
        made.write(f"{step}.yml", PLAYBOOK.replace("STEP", step))
    made.write("placed.yml", TARGETS)
    root = made.folder / "archives"
    root.mkdir()
    targets = [{"name": name, "output_dir": f"{root}/{name}", "host": host} for name, host in _HOSTS.items()]
    made.write("scrape-targets.json", json.dumps({"archive_root": str(root), "targets": targets}))
    made.write("hold", "")
    return made


_HOSTS = {"x": "lab1", "y": "lab2", "z": "lab1"}


def release(terminal: Terminal) -> None:
    (terminal.folder / "hold").unlink()


def statuses(terminal: Terminal) -> dict[str, str]:
    text = (whole_runs(terminal.folder / "state")[-1] / "report.json").read_text(encoding="utf-8")
    report: dict[str, Any] = json.loads(text)
    return {step["id"]: step["status"] for step in report["steps"] if "[" in step["id"]}


def refused(terminal: Terminal, *words: str) -> Said:
    done = terminal.run("run", *words, "--plugins")
    assert done.code == 4, done.out + done.err
    assert marks(terminal, "begun") == []
    return done


@pytest.mark.contract("T1")
def test_options_that_cannot_be_are_exit_2(terminal: Terminal) -> None:
    assert terminal.run("run", "again.yml", "--cluster", "127.0.0.1:8786").code == 2
    assert terminal.run("run", "again.yml", "--cluster", "tcp://127.0.0.1:8786", "--jobs", "2").code == 2
    assert terminal.run("resume", "--cluster", "tcp://127.0.0.1:8786").code == 2


@pytest.mark.contract("T3")
def test_without_scheduler_or_worker_it_is_exit_4_and_nothing_runs(terminal: Terminal, cluster: DaskCluster) -> None:
    refused(terminal, "again.yml", "--cluster", "tcp://127.0.0.1:1")
    done = refused(terminal, "placed.yml", "--cluster", cluster.address)
    assert "no worker of dce-play" in done.err
    cluster.start_worker(terminal, "lab1", "--plugins")
    done = refused(terminal, "placed.yml", "--cluster", cluster.address)
    assert "no worker for the host lab2 (for y)" in done.err
    assert f"dce-play worker --cluster {cluster.address} --host lab2" in done.err
    assert whole_runs(terminal.folder / "state") == []


@pytest.mark.contract("T3")
def test_an_item_whose_host_nobody_has_fails_alone(terminal: Terminal, cluster: DaskCluster) -> None:
    items = "[{name: a, host: lab1}, {name: b, host: nowhere}, {name: c, host: lab1}]"
    text = PLAYBOOK.replace("STEP", "again").replace("[a, b, c, d]", items).replace('"{{ item }}"', '"{{ item.name }}"')
    terminal.write("some.yml", text)
    release(terminal)
    cluster.start_worker(terminal, "lab1", "--plugins")
    done = terminal.run("run", "some.yml", "--plugins", "--cluster", cluster.address)
    assert done.code == 1, done.out + done.err
    assert "no worker for the host nowhere" in done.out
    assert statuses(terminal) == {"work[a]": "changed", "work[b]": "failed", "work[c]": "changed"}


@pytest.mark.contract("T4")
def test_another_version_or_other_plugins_are_exit_4(terminal: Terminal, cluster: DaskCluster, tmp_path: Path) -> None:
    plain = cluster.start_worker(terminal, "lab1")
    assert "without --plugins" in refused(terminal, "again.yml", "--cluster", cluster.address).err
    plain.terminate()
    plain.wait()
    (tmp_path / "other" / "steps").mkdir(parents=True)
    other = cluster.start_worker(terminal, "lab1", "--plugins", folder=tmp_path / "other")
    assert "other step plugins" in refused(terminal, "again.yml", "--cluster", cluster.address).err
    other.terminate()
    other.wait()
    script = (
        "import sys, dce_play; dce_play.__version__ = '9.9'; from dce_play.cli.app.main import main; main(sys.argv[1:])"
    )
    words = ["worker", "--cluster", cluster.address, "--host", "lab1", "--plugins"]
    cluster.start_worker_with([sys.executable, "-c", script, *words], terminal)
    assert "is dce-play 9.9" in refused(terminal, "again.yml", "--cluster", cluster.address).err


@pytest.mark.contract("T3")
def test_items_go_to_their_host_and_secrets_are_resolved_there(terminal: Terminal, cluster: DaskCluster) -> None:
    cluster.start_worker(terminal, "lab1", "--plugins", WORKER="one", PLACE_KEY="the-key-of-lab-one")
    cluster.start_worker(terminal, "lab2", "--plugins", WORKER="two", PLACE_KEY="the-key-of-lab-two")
    done = terminal.run("run", "placed.yml", "--plugins", "--cluster", cluster.address)
    assert done.code == 0, done.out + done.err
    sums = {key: subprocess.run(["cksum"], input=f"the-key-of-lab-{key}\n".encode(), capture_output=True, check=True)
            for key in ("one", "two")}  # fmt: skip
    said = " and ".join(f"{key} {sums[key].stdout.decode().strip()}" for key in ("one", "two", "one"))
    assert said in done.out


@pytest.mark.parametrize("step", ["again", "once"])
@pytest.mark.contract("T2")
def test_the_item_of_a_killed_worker_is_done_once(terminal: Terminal, cluster: DaskCluster, step: str) -> None:
    first = cluster.start_worker(terminal, "lab1", "--plugins")
    with begun(terminal, "run", f"{step}.yml", "--plugins", "--cluster", cluster.address) as run:
        pid = pid_of(terminal, "a")
        cluster.start_worker(terminal, "lab1", "--plugins")
        os.kill(first.pid, signal.SIGKILL)
        assert eventually(lambda: not lives(first.pid))
        assert lives(pid)
        release(terminal)
        assert run.wait(timeout=90) == 0
    assert sorted(marks(terminal, "effect")) == ["a", "b", "c", "d", "first"]
    assert statuses(terminal) == {f"work[{key}]": "changed" for key in "abcd"}


@pytest.mark.contract("T5")
def test_a_lost_scheduler_ends_the_run_and_a_resume_collects(terminal: Terminal, cluster: DaskCluster) -> None:
    cluster.start_worker(terminal, "lab1", "--plugins")
    with begun(terminal, "run", "once.yml", "--plugins", "--cluster", cluster.address) as run:
        pid = pid_of(terminal, "a")
        os.kill(cluster.processes[0].pid, signal.SIGKILL)
        assert run.wait(timeout=60) == 1
        assert run.stdout is not None
        assert "the scheduler of the cluster is lost" in run.stdout.read()
        assert lives(pid)
        release(terminal)
        assert eventually(lambda: not lives(pid))
    assert marks(terminal, "effect") == ["first", "a"]
    cluster.start_scheduler()
    cluster.start_worker(terminal, "lab1", "--plugins")
    done = terminal.run("resume")
    assert done.code == 0, done.out + done.err
    assert sorted(marks(terminal, "effect")) == ["a", "b", "c", "d", "first"]


@pytest.mark.contract("T5")
def test_a_killed_parent_leaves_items_that_end_and_a_resume_collects(terminal: Terminal, cluster: DaskCluster) -> None:
    cluster.start_worker(terminal, "lab1", "--plugins", "--slots", "2")
    with begun(terminal, "run", "once.yml", "--plugins", "--cluster", cluster.address, spare_items=True) as run:
        pid_of(terminal, "a"), pid_of(terminal, "b")
        os.kill(run.pid, signal.SIGKILL)
        run.wait()
        release(terminal)
        assert eventually(lambda: {"a", "b"} <= set(marks(terminal, "effect")))
    done = terminal.run("resume")
    assert done.code == 0, done.out + done.err
    assert sorted(marks(terminal, "effect")) == ["a", "b", "c", "d", "first"]


@pytest.mark.contract("T5")
def test_a_signal_reaches_the_items_and_no_further_one_begins(terminal: Terminal, cluster: DaskCluster) -> None:
    cluster.start_worker(terminal, "lab1", "--plugins", "--slots", "2")
    with begun(terminal, "run", "again.yml", "--plugins", "--cluster", cluster.address) as run:
        pid_of(terminal, "a"), pid_of(terminal, "b")
        os.kill(run.pid, signal.SIGINT)
        assert run.wait(timeout=60) == 130
    assert sorted(marks(terminal, "cancelled")) == ["a", "b"]
    assert sorted(marks(terminal, "begun")) == ["a", "b", "first"]
    release(terminal)
    done = terminal.run("resume")
    assert done.code == 0, done.out + done.err
    assert sorted(marks(terminal, "effect")) == ["a", "b", "c", "d", "first"]


@pytest.mark.contract("T6")
def test_items_that_write_one_archive_take_its_lock_one_after_another(terminal: Terminal, cluster: DaskCluster) -> None:
    cluster.start_worker(terminal, "lab1", "--plugins", "--slots", "2")
    with begun(terminal, "run", "archive.yml", "--plugins", "--cluster", cluster.address) as run:
        assert eventually(lambda: len(marks(terminal, "begun")) == 2)
        time.sleep(1.0)
        assert len(marks(terminal, "begun")) == 2
        release(terminal)
        assert run.wait(timeout=90) == 0
    assert sorted(marks(terminal, "effect")) == ["a", "b", "c", "d", "first"]


@pytest.mark.contract("T3")
def test_an_idle_worker_ends_by_sigterm(terminal: Terminal, cluster: DaskCluster) -> None:
    worker = cluster.start_worker(terminal, "lab1")
    worker.terminate()
    assert worker.wait(timeout=20) == 0


@pytest.mark.contract("T5")
def test_a_scheduler_that_stands_still_is_lost_too(terminal: Terminal, cluster: DaskCluster) -> None:
    cluster.start_worker(terminal, "lab1", "--plugins")
    with begun(terminal, "run", "once.yml", "--plugins", "--cluster", cluster.address) as run:
        pid_of(terminal, "a")
        os.kill(cluster.processes[0].pid, signal.SIGSTOP)
        assert run.wait(timeout=30) == 1
        assert run.stdout is not None
        assert "the scheduler of the cluster is lost" in run.stdout.read()


@pytest.mark.contract("T5")
@pytest.mark.parametrize("comes_back", [True, False], ids=["another worker comes", "no worker comes"])
def test_a_stopped_run_whose_workers_are_gone_begins_nothing_more(
    terminal: Terminal, cluster: DaskCluster, *, comes_back: bool
) -> None:
    worker = cluster.start_worker(terminal, "lab1", "--plugins")
    with begun(terminal, "run", "again.yml", "--plugins", "--cluster", cluster.address) as run:
        item = pid_of(terminal, "a")
        os.kill(worker.pid, signal.SIGKILL)
        os.kill(item, signal.SIGKILL)
        worker.wait()
        os.kill(run.pid, signal.SIGINT)
        if comes_back:
            cluster.start_worker(terminal, "lab1", "--plugins")
        assert run.wait(timeout=60) == 130
        assert run.stdout is not None
        assert "INTERRUPTED" in run.stdout.read()
    assert sorted(set(marks(terminal, "begun"))) == ["a", "first"]
    assert marks(terminal, "effect") == ["first"]
    assert (whole_runs(terminal.folder / "state")[-1] / "report.json").exists()
