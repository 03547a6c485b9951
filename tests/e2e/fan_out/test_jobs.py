"""``run --jobs N``: items in processes of their own, killed, stopped, orphaned; every effect happens once."""

import json
import os
import signal
import subprocess
from pathlib import Path
from typing import Any

import pytest

from tests.support.command_line import Terminal, terminal_in
from tests.support.marking import begun, marks, pid_of, write_steps
from tests.support.processes import eventually, lives
from tests.support.reports import comparable, item_runs, whole_runs

PLAYBOOK = """
name: marking
steps:
  - name: work
    loop: [a, b, c, d]
    fan_out: true
    on_error: continue
    register: done
    mark.STEP: {key: "{{ item }}"}
  - name: tell
    report.say: {text: "{{ done | map(attribute='item') | join }}"}
"""


@pytest.fixture
def terminal(tmp_path: Path) -> Terminal:
    made = terminal_in(tmp_path)
    write_steps(made)
    for step in ("again", "once"):
        made.write(f"{step}.yml", PLAYBOOK.replace("STEP", step))
    made.write("hold", "")
    return made


def release(terminal: Terminal) -> None:
    (terminal.folder / "hold").unlink()


def report(terminal: Terminal) -> dict[str, Any]:
    text = (whole_runs(terminal.folder / "state")[-1] / "report.json").read_text(encoding="utf-8")
    made: dict[str, Any] = json.loads(text)
    return made


def statuses(terminal: Terminal) -> dict[str, str]:
    return {step["id"]: step["status"] for step in report(terminal)["steps"] if "[" in step["id"]}


@pytest.mark.parametrize("count", ["0", "-1", "many"])
@pytest.mark.contract("T1")
def test_another_number_of_jobs_is_exit_2(terminal: Terminal, count: str) -> None:
    assert terminal.run("run", "again.yml", "--plugins", "--jobs", count).code == 2
    assert terminal.run("resume", "--jobs", "2").code == 2
    assert whole_runs(terminal.folder / "state") == []


@pytest.mark.contract("T1")
def test_items_run_at_once_and_a_step_knows_its_own_run(terminal: Terminal) -> None:
    with begun(terminal, "run", "again.yml", "--plugins", "--jobs", "2") as run:
        assert pid_of(terminal, "a") != pid_of(terminal, "b")
        assert marks(terminal, "begun") in (["a", "b"], ["b", "a"])
        release(terminal)
        assert run.wait(timeout=60) == 0
    assert sorted(marks(terminal, "effect")) == ["a", "b", "c", "d"]
    folder = whole_runs(terminal.folder / "state")[-1]
    told = {step["id"]: step["outputs"]["run"] for step in report(terminal)["steps"] if "[" in step["id"]}
    assert sorted(told.values()) == [each.name for each in item_runs(folder)]
    assert list(told) == ["work[a]", "work[b]", "work[c]", "work[d]"]
    assert report(terminal)["runs"] == told


@pytest.mark.contract("T2")
def test_a_killed_item_whose_step_may_be_repeated_is_begun_again(terminal: Terminal) -> None:
    with begun(terminal, "run", "again.yml", "--plugins", "--jobs", "2") as run:
        os.kill(pid_of(terminal, "a"), signal.SIGKILL)
        assert eventually(lambda: marks(terminal, "begun").count("a") == 2)
        release(terminal)
        assert run.wait(timeout=60) == 0
    assert sorted(marks(terminal, "effect")) == ["a", "b", "c", "d"]
    assert report(terminal)["counts"] == {"changed": 4, "ok": 1}


@pytest.mark.contract("T2")
def test_one_that_may_not_be_repeated_ends_interrupted_and_the_run_1(terminal: Terminal) -> None:
    with begun(terminal, "run", "once.yml", "--plugins", "--jobs", "2") as run:
        os.kill(pid_of(terminal, "b"), signal.SIGKILL)
        release(terminal)
        assert run.wait(timeout=60) == 1
    assert marks(terminal, "begun").count("b") == 1
    assert sorted(marks(terminal, "effect")) == ["a", "c", "d"]
    assert statuses(terminal) == {"work[a]": "changed", "work[b]": "interrupted"} | {
        f"work[{key}]": "changed" for key in "cd"
    }
    assert report(terminal)["counts"]["failed"] == 1
    again = terminal.run("resume", "--repeat")
    assert again.code == 0, again.out
    assert sorted(marks(terminal, "effect")) == ["a", "b", "c", "d"]


@pytest.mark.contract("T5")
def test_a_killed_parent_leaves_items_that_end_and_a_resume_that_collects_them(terminal: Terminal) -> None:
    with begun(terminal, "run", "once.yml", "--plugins", "--jobs", "2") as run:
        pids = [pid_of(terminal, "a"), pid_of(terminal, "b")]
        os.kill(run.pid, signal.SIGKILL)
        run.wait()
        assert all(lives(pid) for pid in pids)
        release(terminal)
        assert eventually(lambda: not any(lives(pid) for pid in pids))
    assert sorted(marks(terminal, "effect")) == ["a", "b"]
    done = terminal.run("resume")
    assert done.code == 0, done.out + done.err
    assert marks(terminal, "effect")[:2] in (["a", "b"], ["b", "a"])
    assert sorted(marks(terminal, "effect")) == ["a", "b", "c", "d"]
    assert statuses(terminal) == {f"work[{key}]": "changed" for key in "abcd"}
    assert "abcd" in done.out


@pytest.mark.contract("T2")
def test_a_resume_waits_for_what_is_still_at_work(terminal: Terminal) -> None:
    with begun(terminal, "run", "once.yml", "--plugins", "--jobs", "2") as run:
        pid_of(terminal, "a"), pid_of(terminal, "b")
        os.kill(run.pid, signal.SIGKILL)
        run.wait()
        with begun(terminal, "resume") as resumed:
            assert eventually(lambda: len(item_runs(whole_runs(terminal.folder / "state")[-1])) == 2)
            release(terminal)
            assert resumed.wait(timeout=60) == 0
    assert sorted(marks(terminal, "effect")) == ["a", "b", "c", "d"]


@pytest.mark.contract("T5")
@pytest.mark.parametrize("options", [(), ("--jobs", "2")], ids=["in-turn", "jobs"])
def test_a_stopped_loop_whose_items_ended_well_is_no_whole_loop(terminal: Terminal, options: tuple[str, ...]) -> None:
    text = PLAYBOOK[: PLAYBOOK.index("  - name: tell")].replace("STEP", "again")
    terminal.write("deaf.yml", text.replace('"{{ item }}"', '"{{ item }}", hold: never, nap_s: 1.5'))
    with begun(terminal, "run", "deaf.yml", "--plugins", *options) as run:
        pid_of(terminal, "a")
        os.kill(run.pid, signal.SIGINT)
        assert run.wait(timeout=60) == 130
    assert report(terminal)["outcome"] == "interrupted"
    assert "d" not in marks(terminal, "begun")
    assert terminal.run("resume").code == 0
    assert sorted(marks(terminal, "effect")) == ["a", "b", "c", "d"]


@pytest.mark.contract("T5")
@pytest.mark.parametrize(
    ("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)], ids=["interrupt", "terminate"]
)
def test_a_signal_reaches_the_items_and_no_further_one_begins(
    terminal: Terminal, number: signal.Signals, code: int
) -> None:
    with begun(terminal, "run", "again.yml", "--plugins", "--jobs", "2") as run:
        pid_of(terminal, "a"), pid_of(terminal, "b")
        os.kill(run.pid, number)
        assert run.wait(timeout=60) == code
    assert sorted(marks(terminal, "cancelled")) == ["a", "b"]
    assert sorted(marks(terminal, "begun")) == ["a", "b"]
    assert report(terminal)["outcome"] == "interrupted"
    release(terminal)
    assert terminal.run("resume").code == 0
    assert sorted(marks(terminal, "effect")) == ["a", "b", "c", "d"]


@pytest.mark.contract("T5")
def test_the_runs_timeout_reaches_the_items(terminal: Terminal) -> None:
    done = terminal.run("run", "again.yml", "--plugins", "--jobs", "2", "--timeout", "3s")
    assert done.code == 124, done.out
    assert sorted(marks(terminal, "cancelled")) == ["a", "b"]
    assert sorted(marks(terminal, "begun")) == ["a", "b"]


@pytest.mark.parametrize("options", [(), ("--jobs", "2")], ids=["in turn", "jobs"])
@pytest.mark.contract("T4")
def test_a_result_above_1_mib_fails_its_item_alone(terminal: Terminal, options: tuple[str, ...]) -> None:
    release(terminal)
    text = PLAYBOOK.replace("STEP", "again").replace('"{{ item }}"}', '"{{ item }}", size: "{{ SIZE }}"}')
    terminal.write("large.yml", text.replace("SIZE", "1048576 if item == 'b' else 5"))
    done = terminal.run("run", "large.yml", "--plugins", *options)
    assert done.code == 1
    assert statuses(terminal) == {
        "work[a]": "changed",
        "work[b]": "failed",
        "work[c]": "changed",
        "work[d]": "changed",
    }
    assert report(terminal)["counts"]["failed"] == 1
    assert "at most 1048576" in " ".join(done.out.split())


@pytest.mark.contract("T6")
def test_the_parents_lock_is_the_items_and_outlives_the_parent(terminal: Terminal) -> None:
    root = terminal.folder / "archives"
    root.mkdir()
    terminal.write(
        "scrape-targets.json",
        json.dumps({"archive_root": str(root), "targets": [{"name": "x", "output_dir": f"{root}/x"}]}),
    )
    terminal.write("archive.yml", PLAYBOOK.replace("STEP", "archive"))
    free = ["flock", "-n", str(root / ".dce-scrape.lock"), "true"]
    with begun(terminal, "run", "archive.yml", "--plugins", "--jobs", "2") as run:
        pids = [pid_of(terminal, "a"), pid_of(terminal, "b")]
        os.kill(run.pid, signal.SIGKILL)
        run.wait()
        assert subprocess.run(free, check=False).returncode == 1
        release(terminal)
        assert eventually(lambda: not any(lives(pid) for pid in pids))
        assert subprocess.run(free, check=False).returncode == 0
    assert terminal.run("resume").code == 0
    assert sorted(marks(terminal, "effect")) == ["a", "b", "c", "d"]


def test_the_report_of_jobs_is_that_of_a_plain_loop(terminal: Terminal) -> None:
    release(terminal)
    text = PLAYBOOK.replace("STEP", "again")
    terminal.write("plain.yml", text.replace("    fan_out: true\n", ""))
    assert terminal.run("run", "plain.yml", "--plugins").code == 0
    assert terminal.run("run", "again.yml", "--plugins", "--jobs", "3").code == 0
    plain, fanned = (_without_runs(comparable(folder)) for folder in whole_runs(terminal.folder / "state"))
    assert fanned == plain


def _without_runs(report: dict[str, Any]) -> dict[str, Any]:
    for step in report["steps"]:
        step["outputs"].pop("run", None)
    return report
