"""What ship and receive tell somebody to type does what it says, typed as it stands, in whatever folder one is."""

import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.e2e.test_ship_and_receive import pair
from tests.support.lab_hosts import LabHost, lab_host
from tests.support.receiver import Receiver
from tests.support.stand_in_receiver import Canned, receiving

GATE = '[version_gate]\nrepo_path = "clone"\n'


@pytest.fixture
def refused(tmp_path: Path) -> Iterator[tuple[Receiver, LabHost]]:
    """Give a lab host below a folder with a blank, and a receiver that has quarantined one of its episodes."""
    place = tmp_path / "at night"
    clone = place / "hub" / "clone"
    git = ["git", "-c", "user.name=a", "-c", "user.email=a@b", "-C", str(clone)]
    subprocess.run(["git", "init", "-q", str(clone)], check=True)
    subprocess.run([*git, "commit", "-q", "--allow-empty", "-m", "x"], check=True)
    with pair(place, GATE) as (receiver, host):
        host.episode("old")
        yield receiver, host


def typed(host: LabHost, line: str) -> "subprocess.CompletedProcess[str]":
    """Type a line into a shell elsewhere, as somebody does who has ``dce-play`` on PATH."""
    path = f"{Path(sys.executable).parent}:{host.environment['PATH']}"
    return subprocess.run(
        ["bash", "-c", line],
        cwd="/",
        env={**host.environment, "PATH": path},
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )


def told(pattern: str, text: str) -> str:
    found = re.search(pattern, text, re.MULTILINE)
    assert found is not None, text
    return found[1]


def test_what_a_pass_tells_to_type_shows_what_it_quarantined(refused: tuple[Receiver, LabHost]) -> None:
    _, host = refused
    done = host.run("ship", "once")
    shown = typed(host, told(r"^next: (.*)$", done.stdout))
    assert (shown.returncode, shown.stdout.split()[:2]) == (0, ["old", "commit_not_in_window"]), shown.stderr


def test_what_a_paused_shipper_tells_to_type_asks_the_same_receiver(refused: tuple[Receiver, LabHost]) -> None:
    receiver, host = refused
    (host.folder / "token").write_text("dcp_00000000_" + "0" * 64)
    line = told(r"next: (.*)$", host.run("ship", "once").stdout)
    assert typed(host, line).stdout.startswith("auth: ")
    (host.folder / "token").write_text(receiver.token)
    assert typed(host, line).stdout.startswith("gate: ")  # it takes us, but not this commit


def test_what_an_unreachable_receiver_is_tried_with_is_answered_once_it_is_back(
    refused: tuple[Receiver, LabHost],
) -> None:
    receiver, host = refused
    receiver.kill()
    line = told(r"^  fix: (.*)$", host.run("ship", "ping").stdout)
    assert typed(host, line).returncode == 7  # curl could not connect
    receiver.start()
    again = typed(host, line)
    assert again.returncode == 0, again.stderr
    assert "< HTTP/1.1 401" in again.stderr
    assert receiver.token not in line


def test_a_token_that_is_not_there_is_answered_with_those_that_are(refused: tuple[Receiver, LabHost]) -> None:
    receiver, host = refused
    done = receiver.run("token", "revoke", "zzzzzzzz")
    assert (done.returncode, receiver.token.split("_")[1] in done.stderr) == (5, True)
    assert receiver.run("token", "revoke", receiver.token.split("_")[1]).returncode == 0
    line = told(r"make one: (.*)$", receiver.run("token", "list").stdout).replace("HOST", "lab-1")
    assert "dcp_" in typed(host, line).stdout


def test_what_a_receiver_tells_to_type_is_told_with_our_own_config(tmp_path: Path) -> None:
    place = tmp_path / "at night"
    place.mkdir()
    with pair(place) as (_, host):
        host.episode("old")
        host.run("ship", "once")
        host.episode("old", files={"other": b"content"})
        host.run("ship", "once")
        line = told(r"^fix: (.*)$", host.run("quarantine", "show", "old").stdout)
        assert typed(host, line).stdout.split()[:2] == ["old", "conflict"], line
    with receiving() as failing:
        host = lab_host(tmp_path, failing.url)
        fix = ["cd /opt/x && dce-play ship status", "dce-play quarantine list --config mine", "sudo systemctl stop x"]
        failing.answer = lambda *_: Canned.problem(500, "internal", fix=fix)
        told_fix = host.json("ship", "ping", code=1)["problem"]["fix"]
    assert told_fix == [f"{fix[0]} --config {host.config}", *fix[1:]]
    assert typed(host, told_fix[0].partition("&& ")[2]).returncode == 0
