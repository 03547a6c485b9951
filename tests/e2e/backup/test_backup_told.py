"""Monitors hear of backup commands as of runs: a cron line may call them at night."""

import json
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.backups import Yard, yard_in
from tests.support.monitor_server import MonitorServer, monitor_server

TABLE = '[monitoring.healthchecks]\nurl = "env:PING"\n'


@pytest.fixture
def monitor() -> Iterator[MonitorServer]:
    with monitor_server() as server:
        yield server


@pytest.fixture
def yard(tmp_path: Path, monitor: MonitorServer) -> Yard:
    made = yard_in(tmp_path, PING=f"{monitor.address}/canary-check")
    made.terminal.write("dce-play.toml", TABLE)
    return made


def told(monitor: MonitorServer) -> list[str]:
    """Return what the monitor heard since the last call."""
    paths = [path.removeprefix("/canary-check") for path in monitor.paths]
    monitor.heard.clear()
    return paths


def test_a_backup_and_its_verification_are_told(yard: Yard, monitor: MonitorServer) -> None:
    yard.take()
    assert monitor.heard[-1].body.startswith("backup run ended well on ")
    assert told(monitor) == ["/start", "/0"]
    assert yard.run("verify", "kuma@latest").code == 0
    assert told(monitor) == ["/start", "/0"]


@pytest.mark.parametrize("words", [("run", "kuma", "--allow-unattended", "--dry-run"), ("list",), ("prune", "kuma")])
def test_of_what_only_looks_nobody_is_told(yard: Yard, monitor: MonitorServer, words: tuple[str, ...]) -> None:
    assert yard.run(*words).code == 0
    assert told(monitor) == []


@pytest.mark.contract("O13")
def test_a_backup_that_failed_is_told_with_the_reason_and_the_answer_stays_one_object(
    yard: Yard, monitor: MonitorServer
) -> None:
    shutil.rmtree(yard.data)
    said = yard.run("run", "kuma", "--allow-unattended", "--format", "json")
    assert said.code != 0
    body = monitor.heard[-1].body
    assert body.startswith(f"backup run failed (exit {said.code}) on ")
    assert json.loads(said.out)["failed"][0]["message"] in body
    assert told(monitor) == ["/start", f"/{said.code}"]
    assert "canary-check" not in said.out + said.err


def test_a_refused_backup_is_told(yard: Yard, monitor: MonitorServer) -> None:
    assert yard.run("run", "kuma").code == 77, "nobody is there"
    assert told(monitor) == ["/start", "/77"]


def test_of_playbooks_by_name_backups_are_one_more_name(yard: Yard, monitor: MonitorServer) -> None:
    yard.terminal.write("dce-play.toml", '[monitoring]\nplaybooks = ["proof"]\n' + TABLE)
    yard.take()
    assert told(monitor) == []
    yard.terminal.write("dce-play.toml", '[monitoring]\nplaybooks = ["proof", "backup run"]\n' + TABLE)
    yard.take()
    assert told(monitor) == ["/start", "/0"]


def test_no_program_of_a_backup_gets_the_monitors_address(yard: Yard, tmp_path: Path) -> None:
    seen = tmp_path / "seen"
    yard.define(health={"command": ["sh", "-c", f"env > {seen}"]})
    yard.take()
    assert "canary-check" not in seen.read_text()
    assert "PATH=" in seen.read_text()
