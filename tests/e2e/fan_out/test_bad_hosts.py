"""A host whose disk is full, and one whose clock is a day off: what fails says why, and nothing else changes."""

import json
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from tests.support.command_line import Terminal
from tests.support.dask_cluster import DaskCluster
from tests.support.marking import begun, marking_terminal, marks, pid_of
from tests.support.reports import item_runs, whole_runs

pytest.importorskip("distributed")

PLAYBOOK = """
name: hosts
steps:
  - name: work
    loop: [{name: a, host: bad}, {name: b, host: good}, {name: c, host: bad}, {name: d, host: good}]
    fan_out: true
    on_error: continue
    block:
      - name: one
        mark.once: {key: "{{ item.name }}-one", size: 20000}
      - name: two
        mark.again: {key: "{{ item.name }}-two"}
"""
# An end of that size has no room on a page of the journal that was begun before the disk was full.
ALL = sorted(f"{item}-{step}" for item in "abcd" for step in ("one", "two"))


@pytest.fixture
def terminal(tmp_path: Path) -> Terminal:
    return marking_terminal(tmp_path, {"hosts.yml": PLAYBOOK})


def start(cluster: DaskCluster, terminal: Terminal, host: str, **variables: str) -> None:
    """Start the worker of a host, with a state folder of its own."""
    state = str(terminal.folder / f"state-{host}")
    cluster.start_worker(terminal, host, "--plugins", folder=None, DCE_PLAY_STATE_DIR=state, **variables)


def run_words(cluster: DaskCluster) -> list[str]:
    return ["run", "hosts.yml", "--plugins", "--cluster", cluster.address]


def statuses(terminal: Terminal) -> dict[str, str]:
    report = json.loads((whole_runs(terminal.folder / "state")[-1] / "report.json").read_bytes())
    return {step["id"]: step["status"] for step in report["steps"] if not step["group"]}


def assert_told_where(terminal: Terminal) -> None:
    """See that the items of the host whose disk is full say why they failed, and where that is."""
    report = json.loads((whole_runs(terminal.folder / "state")[-1] / "report.json").read_bytes())
    failed = {step["id"]: step["error"]["message"] for step in report["steps"] if step["status"] == "failed"}
    assert {"work[a]", "work[c]"} <= failed.keys()
    for item in ("work[a]", "work[c]"):
        assert "No space left on device" in failed[item]
        assert f"(on the host bad, which keeps runs in {terminal.folder / 'state-bad' / 'runs'})" in failed[item]


@contextmanager
def small_disk(folder: Path) -> Iterator[Path]:
    """Mount a disk of 1 MiB; give the file that fills it."""
    folder.mkdir()
    words = ["mount", "-t", "tmpfs", "-o", "size=1m", "none", str(folder)]
    if subprocess.run(words, capture_output=True, check=False).returncode != 0:
        pytest.skip("no tmpfs may be mounted here")
    try:
        yield folder / "filling"
    finally:
        subprocess.run(["umount", "-l", str(folder)], check=True)


def fill(path: Path) -> None:
    """Fill a disk to its last byte."""
    with path.open("ab", buffering=0) as out:
        for size in (4096, 1):
            while True:
                try:
                    out.write(b"x" * size)
                except OSError:
                    break


@pytest.mark.root
@pytest.mark.contract("T2")
def test_a_host_whose_disk_is_full_fails_its_items_alone_and_says_where(
    terminal: Terminal, cluster: DaskCluster
) -> None:
    with small_disk(terminal.folder / "state-bad") as filling:
        start(cluster, terminal, "bad")
        start(cluster, terminal, "good")
        fill(filling)
        done = terminal.run(*run_words(cluster))
        assert done.code == 1, done.out + done.err
        assert_told_where(terminal)
        assert sorted(marks(terminal, "effect")) == ["b-one", "b-two", "d-one", "d-two"]
        filling.unlink()
        done = terminal.run("resume")
        assert done.code == 0, done.out + done.err
    assert sorted(marks(terminal, "effect")) == ALL
    assert statuses(terminal).keys() == {f"work[{name.replace('-', ']/')}" for name in ALL}


@pytest.mark.root
@pytest.mark.soak
@pytest.mark.contract("T2")
def test_a_disk_that_fills_up_in_a_step_leaves_nothing_done_twice(terminal: Terminal, cluster: DaskCluster) -> None:
    terminal.write("hold", "")
    with small_disk(terminal.folder / "state-bad") as filling:
        start(cluster, terminal, "bad")
        start(cluster, terminal, "good")
        with begun(terminal, *run_words(cluster)) as run:
            pid_of(terminal, "a-one")
            fill(filling)
            (terminal.folder / "hold").unlink()
            assert run.wait(timeout=100) == 1
        assert_told_where(terminal)
        assert sorted(marks(terminal, "effect")) == ["a-one", "b-one", "b-two", "d-one", "d-two"]
        filling.unlink()
        done = terminal.run("resume")
        assert done.code == 1, done.out + done.err  # nobody wrote down that a-one had ended, and it may not be repeated
        assert "a-one" in marks(terminal, "effect")
        done = terminal.run("resume", "--skip")
        assert done.code == 0, done.out + done.err
    assert len(marks(terminal, "effect")) == len(set(marks(terminal, "effect")))


@pytest.mark.soak
@pytest.mark.contract("T2")
def test_a_host_whose_clock_is_a_day_off_changes_nothing(terminal: Terminal, cluster: DaskCluster) -> None:
    library = next(Path("/usr/lib").glob("*/faketime/libfaketime.so.1"), None)
    if library is None:
        pytest.skip("libfaketime is missing: apt-get install libfaketime")
    start(cluster, terminal, "good")
    start(cluster, terminal, "bad", LD_PRELOAD=str(library), FAKETIME="+1d")
    before = datetime.now(UTC)
    done = terminal.run(*run_words(cluster))
    after = datetime.now(UTC)
    assert done.code == 0, done.out + done.err
    assert sorted(marks(terminal, "effect")) == ALL
    folder = whole_runs(terminal.folder / "state")[-1]
    events = [json.loads(line) for line in (folder / "events.jsonl").read_text(encoding="utf-8").splitlines()]
    times = [datetime.fromisoformat(event["ts"]) for event in events]
    assert times == sorted(times)
    assert before <= times[0] <= times[-1] <= after
    report = json.loads((folder / "report.json").read_bytes())
    assert all(0 <= step["duration_s"] < (after - before).total_seconds() for step in report["steps"])
    there = [
        json.loads((each / "report.json").read_bytes())
        for each in item_runs(terminal.folder / "state-bad" / "runs" / folder.name)
    ]
    assert len(there) == 2
    assert all(datetime.fromisoformat(each["started"]) > after + timedelta(hours=23) for each in there)
    assert all(each["run"].startswith(f"{folder.name}.") for each in there)
