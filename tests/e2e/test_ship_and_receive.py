"""A real shipper and a real receiver over mutual TLS: each episode in one folder here and stored once there."""

import os
import random
import signal
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
import trustme

from tests.support.lab_hosts import COMMIT, LabHost
from tests.support.receiver import OPEN, Receiver

KILLS = 12
TLS = '[tls]\ncert = "cert.pem"\nkey = "key.pem"\nclient_ca = "ca.pem"\n'


LINES = (
    'ca = "ca.pem"\ncert = "cert.pem"\nkey = "key.pem"\n'
    '[resume]\nabove = "1MiB"\nchunk = "1MiB"\n[retry]\nbase_s = 0.01\ncap_s = 0.1\n'
)


@contextmanager
def pair(folder: Path, config: str = OPEN) -> Iterator[tuple[Receiver, LabHost]]:
    """Give a receiver that runs, and a lab host that may send to it."""
    authority = trustme.CA()
    here, there = folder / "hub", folder / "lab"
    here.mkdir(exist_ok=True)
    there.mkdir()
    server, client = authority.issue_cert("localhost"), authority.issue_cert("lab-1")
    server.cert_chain_pems[0].write_to_path(here / "cert.pem")
    server.private_key_pem.write_to_path(here / "key.pem")
    client.cert_chain_pems[0].write_to_path(there / "cert.pem")
    client.private_key_pem.write_to_path(there / "key.pem")
    for place in (here, there):
        authority.cert_pem.write_to_path(place / "ca.pem")
    with Receiver(folder=here, tls=TLS, config=config) as receiver:
        host = LabHost(folder=there, url=f"https://localhost:{receiver.port}", receiver=LINES)
        host.write_config()
        (there / "token").write_text(receiver.token)
        yield receiver, host


def names(host: LabHost, folder: str) -> set[str]:
    return {each.name for each in (host.data / folder).iterdir() if each.is_dir()}


def test_episodes_go_over_plain_and_in_pieces(tmp_path: Path) -> None:
    with pair(tmp_path) as (receiver, host):
        for number in range(3):
            host.episode(f"ep-{number}", files={"x": os.urandom(3_000_000 if number == 0 else 1000)})
        (host.data / "episodes" / "ep-1" / "empty").mkdir()
        done = host.run("ship", "once")
        assert done.returncode == 0, done.stderr
        assert names(host, "shipped") == {"ep-0", "ep-1", "ep-2"}
        assert {row["id"]: row["source"] for row in receiver.rows()} == {"ep-0": "upload", "ep-1": "put", "ep-2": "put"}
        assert receiver.verb("verify", "--deep")[1]["broken"] == []


def test_a_deploy_refuses_old_code_and_quarantines_nothing_that_is_stored(tmp_path: Path) -> None:
    clone = tmp_path / "hub" / "clone"
    git = ["git", "-c", "user.name=a", "-c", "user.email=a@b", "-C", str(clone)]
    subprocess.run(["git", "init", "-q", str(clone)], check=True)
    subprocess.run([*git, "commit", "-q", "--allow-empty", "-m", "x"], check=True)
    head = subprocess.run([*git, "rev-parse", "HEAD"], check=True, capture_output=True, text=True).stdout.strip()
    with pair(tmp_path, '[version_gate]\nrepo_path = "clone"\n') as (receiver, host):
        host.episode("good", commit=head)
        host.episode("old", commit=COMMIT)
        done = host.run("ship", "once")
        assert done.returncode == 1
        assert "git pull origin main" in done.stderr
        assert (names(host, "shipped"), names(host, "quarantine")) == ({"good"}, {"old"})
        assert [row["id"] for row in receiver.rows()] == ["good"]


@pytest.mark.soak
def test_both_sides_killed_at_random_lose_nothing_and_double_nothing(tmp_path: Path) -> None:
    chance = random.Random(11)
    with pair(tmp_path) as (receiver, host):
        every = {f"ep-{number}" for number in range(30)}
        for name in sorted(every):
            host.episode(name, files={"x": os.urandom(chance.choice([1000, 50_000, 2_500_000]))})
        for number in range(KILLS):
            shipper = subprocess.Popen(
                host.argv("ship", "once"),
                cwd=host.folder,
                env=host.environment,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
            )
            time.sleep(chance.uniform(0.8, 3.0))
            if number % 2:
                receiver.kill()
                receiver.start()
            shipper.send_signal(signal.SIGKILL)
            shipper.wait(10)
        deadline = time.monotonic() + 120
        while names(host, "shipped") != every:
            assert time.monotonic() < deadline
            host.run("ship", "once")
        assert names(host, "episodes") == set()
        assert sorted(row["id"] for row in receiver.rows()) == sorted(every)
        assert receiver.verb("verify", "--deep")[1]["episodes"] == len(every)
        assert receiver.verb("backfill")[1] == {
            "rows": len(every),
            "added": 0,
            "cut_bytes": 0,
            "missing_files": [],
            "bad_lines": [],
            "repeated": [],
            "broken": [],
        }


@pytest.mark.contract("D4")
def test_the_doctor_tells_of_one_ca_once_and_of_one_clock_that_it_is_one(tmp_path: Path) -> None:
    with pair(tmp_path) as (receiver, host):
        said = host.json("doctor", "--receive-config", str(receiver.toml), "--journal-json", "/dev/null")
    rows = [(row["code"], row["what"]) for row in said["rows"]]
    assert [code for code, _ in rows].count("cert.ca") == 1, rows
    assert ("clock", "our clock and the receiver's show the same time") in rows
