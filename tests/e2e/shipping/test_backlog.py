"""Thousands of episodes that no gate will ever take: drained once by the installer, never sent, told by the doctor."""

import json
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.command_line import Terminal
from tests.support.lab_hosts import COMMIT, LabHost
from tests.support.stand_in_receiver import StandIn, receiving


@pytest.fixture
def receiver() -> Iterator[StandIn]:
    with receiving() as state:
        state.commits = {COMMIT}
        yield state


@pytest.mark.contract("S10", "I6", "D4")
@pytest.mark.parametrize("count", [60, pytest.param(5_000, marks=pytest.mark.soak)])
def test_a_backlog_of_unstamped_episodes_is_drained_once_and_never_sent(
    tmp_path: Path, receiver: StandIn, count: int
) -> None:
    host = LabHost(folder=tmp_path / "root/etc/dce-play", url=receiver.url)
    host.folder.mkdir(parents=True)
    host.write_config()
    for number in range(count):
        host.episode(f"old-{number:05}", commit=None)
    host.episode("new")
    words = ("service", "install", "shipper", "--destdir", str(tmp_path / "root"), "--no-venv", "--format", "json")
    began = time.monotonic()
    drained = [json.loads(Terminal(folder=tmp_path).run(*words, timeout_s=1200).out)["drained"] for _ in range(2)]
    print(f"{count} episodes drained in {time.monotonic() - began:.0f} s")
    assert [(each["quarantined"], each["kept"]) for each in drained] == [(count, 1), (0, 1)]
    for _ in range(2):
        host.run("ship", "once")
    assert [path for method, path in receiver.requests if method == "PUT"] == ["/v1/episodes/new"]
    rows = {row["code"]: row for row in host.json("doctor", "--no-ping", "--journal-json", "/dev/null")["rows"]}
    assert (rows["quarantine"]["level"], rows["quarantine"]["count"]) == ("yellow", count)
    assert rows["quarantine"]["fix"] == [f"dce-play quarantine list --config {host.config}"]
