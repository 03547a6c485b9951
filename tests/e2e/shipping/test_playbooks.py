"""The shipped playbooks of shipping, run as an operator does, against a real receiver process."""

import json
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.command_line import Said, Terminal
from tests.support.lab_hosts import COMMIT, LabHost, lab_host
from tests.support.real_receiver import Receiver, real_receiver

PLAYBOOKS = Path(__file__).parents[3] / "playbooks"


@pytest.fixture
def receiver(tmp_path: Path) -> Iterator[Receiver]:
    made = real_receiver(tmp_path / "receiver")
    with made.running():
        yield made


@pytest.fixture
def host(tmp_path: Path, receiver: Receiver) -> LabHost:
    made = lab_host(tmp_path / "host", receiver.url)
    (made.folder / "token").write_text(receiver.token() + "\n")
    return made


def play(host: LabHost, name: str, *words: str, **variables: str) -> Said:
    """Run a shipped playbook beside the host's ship.toml; its events are in ``Said.events``."""
    terminal = Terminal(folder=host.folder, variables={"DCE_SHIP_CONFIG": str(host.config), **variables})
    return terminal.run("run", str(PLAYBOOKS / f"{name}.yml"), "--output", "jsonl", *words)


def test_a_pass_asks_first_and_tells_each_episode(host: LabHost, receiver: Receiver) -> None:
    host.episode("one")
    host.episode("two")
    said = play(host, "ship")
    assert said.code == 0, said.err
    items = {event["key"]: event["status"] for event in said.events if event["type"] == "step.item"}
    assert items == {"one": "stored", "two": "stored"}
    assert receiver.stored() == ["one", "two"]


def test_a_receiver_that_does_not_answer_is_exit_4_and_nothing_moved(host: LabHost, receiver: Receiver) -> None:
    host.episode("one")
    (host.folder / "token").write_text("dcp_00000009_" + "0" * 64 + "\n")
    said = play(host, "ship")
    assert said.code == 4
    assert host.where()["episodes"] == ["one"]


def test_quarantined_episodes_fail_the_pass_unless_they_are_accepted(host: LabHost, receiver: Receiver) -> None:
    folder = host.episode("bad")
    (folder / "pipe").symlink_to("meta.json")
    assert play(host, "ship").code == 1
    assert host.where()["quarantine"] == ["bad"]
    shutil.move(host.data / "quarantine" / "bad", host.data / "episodes" / "bad")
    assert play(host, "ship", "-e", 'accept=["quarantined"]').code == 0


def test_drained_episodes_can_be_moved_back(host: LabHost, receiver: Receiver) -> None:
    host.episode("unstamped", commit=None)
    assert play(host, "ship", "-e", "drain=true").code == 0
    assert host.where()["quarantine"] == ["unstamped"]
    meta = host.data / "quarantine" / "unstamped" / "meta.json"
    meta.write_text(json.dumps({"code_version": {"commit": COMMIT}}))
    assert play(host, "requeue", "-e", "reason=unstamped").code == 0
    assert play(host, "ship").code == 0
    assert host.where()["shipped"] == ["unstamped", "unstamped.receipt.json"]


def test_a_receivers_store_is_made_whole_and_looked_through(host: LabHost, receiver: Receiver) -> None:
    host.episode("one")
    assert play(host, "ship").code == 0
    (receiver.store / "index.jsonl").write_text("")
    variables = {"DCE_RECEIVE_CONFIG": str(receiver.config)}
    assert play(host, "receive-check", "-e", "deep=true", **variables).code == 0
    assert receiver.index_ids() == ["one"]
    tarball = receiver.store / "store" / "one.tar.zst"
    tarball.write_bytes(tarball.read_bytes()[:-1] + b"\0")
    assert play(host, "receive-check", "-e", "deep=true", **variables).code == 1


def test_the_doctor_fails_on_what_is_red_and_asks_no_receiver(host: LabHost, receiver: Receiver) -> None:
    assert play(host, "doctor").code == 0
    shutil.rmtree(host.data / "outbox", ignore_errors=True)
    (host.data / "outbox").write_text("a file where a folder should be")
    assert play(host, "doctor").code == 1


def test_a_dry_run_of_a_pass_sends_nothing(host: LabHost, receiver: Receiver) -> None:
    host.episode("one")
    said = play(host, "ship", "--dry-run")
    assert said.code == 0, said.err
    assert host.where()["episodes"] == ["one"]
    assert receiver.stored() == []
