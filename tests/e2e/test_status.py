"""``status`` over an operator's machine: exit codes of monitoring plug-ins, text, JSON, and Prometheus's format."""

import fcntl
import json
import os
import re
import shlex
import subprocess
from pathlib import Path

import pytest
from prometheus_client.parser import text_string_to_metric_families

from tests.support.command_line import Terminal
from tests.support.operators import OTHER, ROOM, STANDINS, Operator
from tests.support.processes import eventually


@pytest.fixture
def operator(tmp_path: Path) -> Operator:
    return Operator(tmp_path, DCE_CRONTAB_BIN=str(STANDINS / "crontab.py"), STANDIN_CRONTAB=str(tmp_path / "table"))


def samples(text: str) -> dict[str, float]:
    """Return the metrics by name and labels, as prometheus_client reads them."""
    return {
        "".join([sample.name, *(f" {value}" for value in sample.labels.values())]): sample.value
        for family in text_string_to_metric_families(text)
        for sample in family.samples
    }


@pytest.mark.contract("O8")
def test_a_good_night_is_0_and_names_each_target(operator: Operator) -> None:
    operator.run("scrape")
    said = operator.play("status")
    assert (said.code, said.err) == (0, "")
    lines = said.out.splitlines()
    assert lines[0] == f"OK  1 target  3 messages  {operator.archives}"
    assert lines[2].split()[:2] == ["demo", "ok"]
    assert "3 messages  1 channel  +1  ▁▁▁▁▁▁▁▁▁▁▁▁▁█" in lines[2]
    assert "next      nothing is scheduled: dce-play run schedule --dry-run" in lines
    assert "scrape  demo  +1 in 1 channel" in said.out


def test_a_target_that_never_ran_is_critical(operator: Operator) -> None:
    said = operator.play("status")
    assert said.code == 2
    assert said.out.startswith("CRITICAL  ")
    assert "✗ demo  no run that ended well is known" in said.out


def test_a_failed_night_is_critical_tells_why_and_the_command_that_tells_more(operator: Operator) -> None:
    operator.run("scrape")
    operator.answers(ROOM, "boom")
    assert operator.run("scrape").code == 1
    said = operator.play("status")
    assert said.code == 2
    remark, fix = [line for line in said.out.splitlines() if line.startswith(("✗", "    dce-play"))]
    assert remark.startswith(f"✗ demo  last run, scrape, failed: export of channel {ROOM} failed (exit 1)")
    assert operator.play(*shlex.split(fix)[1:]).code == 0
    operator.answers(ROOM)
    operator.run("scrape")
    assert operator.play("status").code == 0


def test_a_run_of_a_time_to_come_hides_no_failure(operator: Operator) -> None:
    operator.run("scrape")
    [run] = operator.terminal.runs()
    journal = run / "events.jsonl"
    journal.write_text(re.sub(r'"ts":"20\d\d', '"ts":"2199', journal.read_text()))
    run.rename(run.with_name("2199" + run.name[4:]))
    told = operator.play("status")
    assert (told.code, "✗ demo  no run that ended well is known" in told.out) == (2, True)
    assert f"! run {run.name[-6:]} began at a time to come, 2199-" in told.out
    operator.answers(ROOM, "boom")
    operator.run("scrape")
    assert "✗ demo  last run, scrape, failed" in operator.play("status").out
    operator.answers(ROOM)
    operator.run("scrape")
    assert operator.play("status").code == 0


def test_an_archive_that_is_not_there_is_critical_however_well_the_night_went(operator: Operator) -> None:
    operator.run("scrape")
    archive = operator.room.parent
    archive.rename(archive.with_name("away"))
    gone = operator.play("status")
    assert gone.code == 2
    assert "✗ demo  the archive is not there any more" in gone.out
    assert gone.out.splitlines()[2].split()[:2] == ["demo", "missing"]
    archive.mkdir()
    assert "✗ demo  the archive has no channel files any more" in operator.play("status").out
    archive.rmdir()
    archive.symlink_to(archive.name)
    circle = operator.play("status")
    assert (circle.code, "leads round in a circle of symbolic links" in circle.err) == (3, True)


def test_what_cannot_be_read_is_3_and_no_warning(operator: Operator) -> None:
    config = operator.folder / "a-folder"
    config.mkdir()
    assert operator.play("status", "--config", config).code == 3
    state = operator.folder / "round"
    state.mkdir()
    (state / "runs").symlink_to("runs")
    said = operator.play("status", "--state-dir", state)
    assert (said.code, "too many levels of symbolic links" in said.err) == (3, True)


def test_a_refused_night_is_a_warning(operator: Operator) -> None:
    operator.run("scrape")
    with (operator.archives / ".dce-scrape.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        assert operator.run("scrape").code == 75
        held = operator.play("status")
    assert held.code == 1
    assert "! demo  last run, scrape, refused: Another scrape is already running" in held.out
    assert f"lock      held by pid {os.getpid()}" in held.out


def test_one_target_of_a_failed_night_may_be_well(operator: Operator) -> None:
    operator.target("other")
    operator.archive("other", OTHER, [1, 2])
    operator.answers(ROOM, "boom")
    operator.answers(OTHER)
    assert operator.run("scrape", "--skip-preflight").code == 1
    found = json.loads(operator.play("status", "--format", "json").out)
    states = {target["name"]: target["state"] for target in found["targets"]}
    assert states == {"demo": "failed", "other": "ok"}


@pytest.mark.contract("O8")
def test_an_old_success_warns_and_then_fails(operator: Operator) -> None:
    operator.run("scrape")
    assert operator.play("status", "--warn-after", "0s", "--fail-after", "1h").code == 1
    late = operator.play("status", "--warn-after", "0s", "--fail-after", "0s")
    assert late.code == 2
    assert "the last success is " in late.out
    assert late.out.splitlines()[2].split()[:2] == ["demo", "late"]


def test_a_dry_run_is_no_success(operator: Operator) -> None:
    operator.run("scrape", "--dry-run")
    assert operator.play("status").code == 2


def test_what_is_scheduled_is_told(operator: Operator, tmp_path: Path) -> None:
    operator.run("scrape")
    assert operator.run("schedule", "--interval", "daily", "--at", "03:15", "--skip-preflight").code == 0
    said = operator.play("status")
    assert next(line for line in said.out.splitlines() if line.startswith("next  ")).endswith(
        "03:15  discord-scrape (cron)"
    )
    found = samples(operator.play("status", "--format", "prometheus").out)
    assert found["dce_play_next_run_timestamp_seconds discord-scrape"] > found["dce_play_status_timestamp_seconds"]


def test_a_crontab_that_cannot_be_read_is_told_and_is_no_failure(operator: Operator) -> None:
    operator.run("scrape")
    said = operator.play("status", DCE_CRONTAB_BIN="no-such-crontab")
    assert said.code == 0
    assert 'next      not known: cannot run "no-such-crontab": no such program' in said.out


def test_a_target_that_was_removed_keeps_its_history(operator: Operator) -> None:
    operator.target("gone")
    operator.archive("gone", OTHER, [1, 2])
    operator.answers(OTHER)
    operator.run("scrape")
    operator.forget("gone")
    said = operator.play("status")
    assert said.code == 0
    assert [line.split()[:2] for line in said.out.splitlines()[2:4]] == [["demo", "ok"], ["gone", "removed"]]


@pytest.mark.contract("O9")
def test_prometheus_reads_what_is_written_for_it(operator: Operator, tmp_path: Path) -> None:
    odd = 'a "b" \\ {c} 日本'
    operator.target(odd)
    operator.run("scrape", "--target", "demo")
    place = tmp_path / "dce_play.prom"
    said = operator.play("status", "--format", "prometheus", "--to", place)
    assert (said.code, said.out) == (2, "")
    found = samples(place.read_text(encoding="utf-8"))
    assert found["dce_play_status"] == 2
    assert found["dce_play_target_messages demo"] == 3
    assert found["dce_play_target_last_run_ok demo"] == 1
    assert found["dce_play_target_last_run_messages demo"] == 1
    assert found[f"dce_play_target_enabled {odd}"] == 1
    assert f"dce_play_target_last_success_timestamp_seconds {odd}" not in found
    assert place.stat().st_mode & 0o777 == 0o644


def test_status_while_a_run_goes_on_tells_where_it_is(operator: Operator) -> None:
    operator.run("scrape")
    terminal: Terminal = operator.terminal
    terminal.write("long.yml", "name: long\nsteps:\n  - command.run: {argv: [sleep, '60']}\n")
    with subprocess.Popen(
        terminal.argv("run", "long"), env=terminal.environment, cwd=terminal.folder, stdout=subprocess.DEVNULL
    ) as process:
        try:
            assert eventually(lambda: "running   long  step 1 of 1: command.run" in operator.play("status").out)
            assert samples(operator.play("status", "--format", "prometheus").out)["dce_play_runs_running"] == 1
        finally:
            process.terminate()


def test_records_that_are_damaged_do_not_keep_it_from_telling(operator: Operator) -> None:
    operator.run("scrape")
    meta = operator.archives / "demo" / ".dce-meta"
    (meta / "appends.jsonl").write_bytes(b"\xff\xfe\n[1]\n")
    (meta / "records" / f"{ROOM}.json").write_text("garbage")
    (operator.terminal.runs()[-1] / "events.jsonl").write_text("garbage\n")
    said = operator.play("status")
    assert said.code == 2
    assert "damaged" in said.out


def test_without_a_targets_file_it_is_unknown(operator: Operator) -> None:
    (operator.folder / "scrape-targets.json").unlink()
    said = operator.play("status")
    assert (said.code, said.out) == (3, "")
    assert "there is no targets file here" in said.err


def test_it_changes_nothing(operator: Operator) -> None:
    operator.run("scrape")
    before = operator.tree()
    operator.play("status")
    assert operator.tree() == before


@pytest.mark.contract("O9")
def test_the_page_about_it_names_every_metric(operator: Operator) -> None:
    operator.run("scrape")
    operator.run("schedule", "--skip-preflight")
    page = (Path(__file__).parents[2] / "docs" / "reference" / "status.md").read_text(encoding="utf-8")
    told = {line.split("`")[1] for line in page.splitlines() if line.startswith("| `dce_play_")}
    found = samples(operator.play("status", "--format", "prometheus").out)
    assert told == {name.split(" ")[0] for name in found}


@pytest.mark.contract("O8")
@pytest.mark.parametrize("output_format", ["text", "json", "prometheus"])
def test_its_verdict_does_not_depend_on_who_reads_it_to_the_end(operator: Operator, output_format: str) -> None:
    ours, theirs = os.pipe()
    os.close(ours)
    try:
        argv = operator.terminal.argv("status", "--format", output_format)
        done = subprocess.run(
            argv,
            cwd=operator.terminal.folder,
            env=operator.terminal.environment,
            stdout=theirs,
            stderr=subprocess.PIPE,
            timeout=120,
            check=False,
        )
    finally:
        os.close(theirs)
    assert (done.returncode, done.stderr) == (2, b"")
