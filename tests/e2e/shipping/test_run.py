"""The shipper as a service: the manager's socket, signals, waits and the network's faults."""

import json
import os
import signal
import socket
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.support.fault_proxy import Faults, fault_proxy
from tests.support.lab_hosts import LabHost, lab_host, outcomes, ship
from tests.support.processes import eventually
from tests.support.stand_in_receiver import Canned, StandIn

QUICK = "scan_interval_s = 0.05\n"
QUICK_RETRY = "[retry]\nbase_s = 0.05\ncap_s = 0.1\n"


@pytest.fixture
def host(tmp_path: Path, receiver: StandIn) -> LabHost:
    return lab_host(tmp_path, receiver.url, more=QUICK, receiver=QUICK_RETRY)


@contextmanager
def service(host: LabHost, **variables: str) -> Iterator["subprocess.Popen[str]"]:
    """Run ``ship run`` while the block runs; its standard error goes to ``log``."""
    with (host.folder / "log").open("w") as log:
        process = subprocess.Popen(
            host.argv("ship", "run"), cwd=host.folder, env={**host.environment, **variables}, stderr=log, text=True
        )
        try:
            yield process
        finally:
            process.kill()
            process.wait(10)


def log_of(host: LabHost) -> str:
    return (host.folder / "log").read_text()


@contextmanager
def manager(address: str) -> Iterator[Callable[[], list[str]]]:
    """Be the service manager; gives what reads the messages so far."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as sock:
        sock.bind(address.replace("@", "\0"))
        sock.setblocking(False)
        seen: list[str] = []

        def read() -> list[str]:
            while True:
                try:
                    seen.extend(sock.recv(4096).decode().splitlines())
                except BlockingIOError:
                    return seen

        yield read


@pytest.mark.contract("S7", "S8")
@pytest.mark.parametrize("abstract", [False, True])
def test_the_manager_is_told_and_a_signal_is_an_ordinary_end(
    host: LabHost, receiver: StandIn, tmp_path: Path, abstract: bool
) -> None:
    address = f"@dce-ship-{os.getpid()}" if abstract else str(tmp_path / "notify")
    host.episode("one")
    with manager(address) as messages, service(host, NOTIFY_SOCKET=address, JOURNAL_STREAM="1:2") as process:
        assert eventually(lambda: messages().count("WATCHDOG=1") >= 3)
        assert messages()[0] == "READY=1"
        assert eventually(lambda: "one" in receiver.stored)
        host.episode("two")
        assert eventually(lambda: "two" in receiver.stored)
        process.send_signal(signal.SIGTERM)
        assert process.wait(10) == 0
        assert "STOPPING=1" in messages()
    lines = log_of(host).splitlines()
    assert all(line.startswith("<6>ship.") for line in lines)
    assert any(line.startswith("<6>ship.result id=one http=201 code= outcome=stored ms=") for line in lines)


@pytest.mark.contract("S8")
def test_a_stopped_shipper_feeds_no_watchdog(host: LabHost, tmp_path: Path) -> None:
    address = str(tmp_path / "notify")
    with manager(address) as messages, service(host, NOTIFY_SOCKET=address) as process:
        assert eventually(lambda: "WATCHDOG=1" in messages())
        process.send_signal(signal.SIGSTOP)
        time.sleep(0.3)
        before = len(messages())
        time.sleep(0.5)
        assert len(messages()) == before
        process.send_signal(signal.SIGCONT)
        assert eventually(lambda: len(messages()) > before)


@pytest.mark.contract("S8")
def test_a_manager_that_goes_and_comes_back_is_fed_again(host: LabHost, tmp_path: Path) -> None:
    address = tmp_path / "notify"
    with service(host, NOTIFY_SOCKET=str(address)) as process:
        assert eventually(lambda: log_of(host).count("ship.pass") > 2)
        for _ in range(2):
            with manager(str(address)) as messages:
                assert eventually(lambda read=messages: "WATCHDOG=1" in read())  # type: ignore[misc]
            address.unlink()
        assert process.poll() is None


@pytest.mark.contract("S8")
def test_a_slow_upload_feeds_the_watchdog_as_bytes_move_and_ends_at_a_signal(host: LabHost, tmp_path: Path) -> None:
    address = str(tmp_path / "notify")
    host.more += "bandwidth_limit = 20000\n"
    host.write_config()
    host.episode("slow", files={"a": os.urandom(400_000)})
    with manager(address) as messages, service(host, NOTIFY_SOCKET=address) as process:
        assert eventually(lambda: messages().count("WATCHDOG=1") >= 3)
        assert "ship.pass" not in log_of(host)
        process.send_signal(signal.SIGTERM)
        assert process.wait(5) == 0
    assert host.where()["episodes"] == ["slow"]
    assert host.where()["outbox"] == ["slow.pack.json", "slow.tar.zst"]


@pytest.mark.contract("S8")
def test_a_signal_ends_the_wait_for_an_answer(host: LabHost, receiver: StandIn) -> None:
    def slow(method: str, *_: object) -> None:
        if method == "PUT":
            time.sleep(20)

    receiver.answer = slow
    host.episode("one")
    with service(host) as process:
        assert eventually(lambda: bool(receiver.methods("one")))
        process.send_signal(signal.SIGTERM)
        assert process.wait(5) == 0


@pytest.mark.contract("S3")
def test_while_the_whole_shipper_waits_passes_go_on_and_then_a_ping_ends_it(host: LabHost, receiver: StandIn) -> None:
    receiver.answer = lambda *_: Canned.problem(401, "unauthorised")
    host.episode("one")
    with service(host) as process:
        assert eventually(lambda: receiver.methods("ping").count("POST") >= 2)
        assert receiver.methods("/episodes/") == ["PUT"]
        assert eventually(lambda: log_of(host).count("ship.pass") > 3)
        assert "ship.paused why=auth" in log_of(host)
        receiver.answer = lambda *_: None
        assert eventually(lambda: "one" in receiver.stored)
        assert process.poll() is None
    assert host.where()["quarantine"] == []


@pytest.mark.contract("S3")
def test_a_retry_after_is_kept_over_a_restart(host: LabHost, receiver: StandIn) -> None:
    receiver.answer = lambda *_: Canned(status=503, headers={"Retry-After": "3600"})
    host.episode("one")
    for _ in range(2):
        with service(host):
            assert eventually(lambda: log_of(host).count("ship.pass") > 3)
    assert receiver.methods("one") == ["PUT"]
    receiver.answer = lambda *_: None
    assert outcomes(ship(host))["one"][0] == "stored"  # whoever types `ship once` means now


@pytest.mark.contract("S4")
def test_a_fatal_episode_is_one_put(host: LabHost, receiver: StandIn) -> None:
    receiver.commits = set()
    host.episode("one")
    with service(host):
        assert eventually(lambda: log_of(host).count("ship.pass") > 10)
    assert receiver.methods("one") == ["PUT"]


@pytest.mark.contract("S11")
def test_a_new_token_is_taken_without_a_restart(host: LabHost, receiver: StandIn) -> None:
    good = (host.folder / "token").read_text()
    (host.folder / "token").write_text("dcp_0000_old0old0\n")
    host.episode("one")
    with service(host):
        assert eventually(lambda: "ship.paused why=auth" in log_of(host))
        (host.folder / "token").write_text(good)
        assert eventually(lambda: "one" in receiver.stored)


@pytest.fixture
def faults(receiver: StandIn, host: LabHost) -> Iterator[Faults]:
    with fault_proxy(int(receiver.url.rpartition(":")[2])) as proxy:
        host.url = f"http://127.0.0.1:{proxy.port}"
        host.receiver = f"read_timeout_s = 0.5\nconnect_timeout_s = 0.5\n{host.receiver}"
        host.write_config()
        yield proxy


@pytest.mark.contract("S3", "S8")
@pytest.mark.parametrize(
    ("name", "value", "code"),
    [
        ("reset_after_bytes", 100_000, "reset"),
        ("reset_after_bytes", 10, "reset"),
        ("half_close_after_bytes", 40, "disconnected"),
        ("half_close_after_bytes", 280, "half_answer"),
        ("half_close_after_bytes", 0, "disconnected"),
        ("black_hole", True, "timeout"),
        ("garbage", b"\x00\x01 hello\r\n\r\n", "half_answer"),
        ("garbage", b"HTTP/1.1 200 OK\r\nX: " + b"x" * 1_000_000, "half_answer"),
        ("trickle_s", 0.02, "timeout"),
    ],
)
def test_faults_of_the_network_are_tried_again_and_the_episode_is_stored_once(
    host: LabHost, receiver: StandIn, faults: Faults, name: str, value: object, code: str
) -> None:
    host.episode("one", files={"a": os.urandom(300_000)})
    setattr(faults, name, value)
    began = time.monotonic()
    assert outcomes(ship(host)) == {"one": ("retry", 0, code)}
    assert time.monotonic() - began < 5
    setattr(faults, name, type(value)() if isinstance(value, bool | bytes | float) else None)
    assert outcomes(ship(host))["one"][0] in {"stored", "duplicate"}
    assert host.where()["shipped"] == ["one", "one.receipt.json"]
    assert list(receiver.stored) == ["one"]


@pytest.mark.contract("S16")
def test_no_two_seconds_see_more_than_the_limit(host: LabHost, receiver: StandIn, faults: Faults) -> None:
    host.episode("one", files={"a": os.urandom(300_000)})
    began = time.monotonic()
    done = json.loads(host.run("ship", "once", "--bandwidth-limit", "100KB", "--format", "json").stdout)
    assert done["ok"]
    assert time.monotonic() - began > 2.9
