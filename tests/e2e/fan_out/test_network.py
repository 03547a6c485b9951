"""A scheduler and three workers on machines of their own, whose network is cut: each effect once, the recap true."""

import json
import os
import signal
import time
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import pytest

from tests.support.command_line import Terminal, terminal_in
from tests.support.dask_cluster import DaskCluster, dask_cluster
from tests.support.marking import begun, marks, pid_of, write_steps
from tests.support.network import Network, network
from tests.support.processes import eventually
from tests.support.reports import whole_runs

pytest.importorskip("distributed")
pytestmark = pytest.mark.root

ITEMS = "abcdef"
PLAYBOOK = f"""
name: parted
steps:
  - name: work
    loop: [{", ".join(ITEMS)}]
    fan_out: true
    mark.once: {{key: "{{{{ item }}}}"}}
"""
HOSTS = ("one", "two", "three")
_KEPT_UP = 'while :; do "$@"; sleep 0.2; done'
"""What a service manager does with a worker that ended."""


@dataclass(slots=True)
class Lab:
    """The network, and who is in it; the runs' parent sits at the switch."""

    network: Network
    cluster: DaskCluster
    terminal: Terminal

    def start_worker(self, host: str) -> None:
        machine = self.network.machines[host]
        there = replace(self.terminal, prefix=machine.prefix)
        argv = there.argv("worker", "--cluster", self.cluster.address, "--host", host, "--plugins")
        state = str(self.terminal.folder / f"state-{host}")
        self.cluster.start_worker_with(["sh", "-c", _KEPT_UP, "worker", *argv], there, DCE_PLAY_STATE_DIR=state)

    @property
    def run_words(self) -> list[str]:
        return ["run", "parted.yml", "--plugins", "--cluster", self.cluster.address]

    def item_of(self, host: str) -> str:
        """Return the item that a host has begun; waits until it has."""
        state = self.terminal.folder / f"state-{host}" / "runs"
        assert eventually(lambda: any(state.glob("*/item.json")))
        told = json.loads(next(state.glob("*/item.json")).read_bytes())
        return str(told["item"]).removeprefix("work[").removesuffix("]")

    def let_go(self) -> None:
        (self.terminal.folder / "hold").unlink()

    def assert_all_once(self) -> None:
        """See that every effect happened once, and that the newest run says so of every item."""
        assert sorted(marks(self.terminal, "effect")) == list(ITEMS)
        report = json.loads((whole_runs(self.terminal.folder / "state")[-1] / "report.json").read_bytes())
        steps = {step["id"]: step["status"] for step in report["steps"] if not step["group"]}
        assert report["outcome"] == "ok"
        assert steps.keys() == {f"work[{item}]" for item in ITEMS}
        assert set(steps.values()) <= {"changed", "reused"}


@pytest.fixture
def lab(tmp_path: Path) -> Iterator[Lab]:
    terminal = terminal_in(tmp_path)
    write_steps(terminal)
    terminal.write("parted.yml", PLAYBOOK)
    terminal.write("hold", "")
    (tmp_path / "cluster").mkdir()
    with (
        network(["scheduler", *HOSTS]) as made,
        dask_cluster(tmp_path / "cluster", machine=made.machines["scheduler"]) as cluster,
    ):
        lab = Lab(made, cluster, replace(terminal, prefix=made.switch.prefix))
        for host in HOSTS:
            lab.start_worker(host)
        yield lab


@pytest.mark.contract("T7")
@pytest.mark.parametrize(
    "cut_s", [pytest.param(0, id="until it ended"), pytest.param(30, id="for 30 s", marks=pytest.mark.soak)]
)
def test_an_item_that_ends_while_its_host_is_cut_off_is_done_once(lab: Lab, cut_s: float) -> None:
    with begun(lab.terminal, *lab.run_words) as run:
        pid_of(lab.terminal, item := lab.item_of("one"))
        lab.network.cut("one")
        lab.let_go()
        assert eventually(lambda: item in marks(lab.terminal, "effect"))
        time.sleep(cut_s)  # what the cut is about, and no wait for anything
        assert run.poll() is None
        lab.network.mend("one")
        code = run.wait(timeout=150)
        assert run.stdout is not None
        assert code == 0, run.stdout.read()
    lab.assert_all_once()


@pytest.mark.contract("T7")
@pytest.mark.soak
def test_a_host_that_stays_away_does_not_keep_a_run_from_ending(lab: Lab) -> None:
    with begun(lab.terminal, *lab.run_words) as run:
        pid_of(lab.terminal, item := lab.item_of("one"))
        lab.network.cut("one")
        lab.let_go()
        assert eventually(lambda: sorted(marks(lab.terminal, "effect")) == list(ITEMS))
        os.kill(run.pid, signal.SIGINT)
        assert run.wait(timeout=150) == 130
    assert eventually(lambda: "Remove worker" in lab.cluster.said("scheduler"))
    done = lab.terminal.run("resume")
    assert done.code == 1, done.out + done.err
    assert "it was begun on the host one" in " ".join(done.out.split())
    lab.network.mend("one")
    assert eventually(lambda: lab.cluster.said("worker-1").count("worker for one") > 1)
    done = lab.terminal.run("resume")
    assert done.code == 0, done.out + done.err
    assert item in marks(lab.terminal, "effect")
    lab.assert_all_once()


@pytest.mark.contract("T7")
@pytest.mark.soak
def test_a_schedulers_machine_that_dies_and_comes_back_is_a_lost_scheduler(lab: Lab) -> None:
    with begun(lab.terminal, *lab.run_words, spare_items=True) as run:
        held = [lab.item_of(host) for host in HOSTS]
        for item in held:
            pid_of(lab.terminal, item)
        lab.network.cut("scheduler")
        lab.cluster.processes[0].kill()
        assert run.wait(timeout=60) == 1
        assert run.stdout is not None
        assert "the scheduler of the cluster is lost" in run.stdout.read()
    lab.let_go()
    assert eventually(lambda: sorted(marks(lab.terminal, "effect")) == sorted(held))
    lab.network.mend("scheduler")
    lab.cluster.start_scheduler()
    for number, host in enumerate(HOSTS, 1):
        assert eventually(lambda: lab.cluster.said(f"worker-{number}").count(f"worker for {host}") > 1)  # noqa: B023
    done = lab.terminal.run("resume")
    assert done.code == 0, done.out + done.err
    lab.assert_all_once()


@pytest.mark.contract("T7")
@pytest.mark.soak
def test_a_slow_line_changes_nothing(lab: Lab) -> None:
    for name in ("scheduler", *HOSTS):
        lab.network.slow(name, "512kbit")
    lab.let_go()
    done = lab.terminal.run(*lab.run_words)
    assert done.code == 0, done.out + done.err
    lab.assert_all_once()
