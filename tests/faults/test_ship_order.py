"""The order in which the shipper makes things durable, as the kernel was asked: a kill shows none of it.

docs/design/shipping.md says what each step is for. Every list here is whole: a sync that is missing, one too many, or
a rename on the wrong side of its sync is another list.
"""

import os
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.call_order import changes, strace
from tests.support.lab_hosts import COMMIT, LabHost, lab_host, ship
from tests.support.stand_in_receiver import StandIn, receiving

pytestmark = pytest.mark.strace

PACKED = [
    "fsync outbox/ep.tar.zst.part",
    "fsync outbox/.ep.pack.json.tmp",
    "rename outbox/.ep.pack.json.tmp to outbox/ep.pack.json",
    "rename outbox/ep.tar.zst.part to outbox/ep.tar.zst",
    "fsync outbox",
    "PUT /v1/episodes/ep",
]
RECEIPT = ["fsync outbox/.ep.receipt.json.tmp", "rename outbox/.ep.receipt.json.tmp to outbox/ep.receipt.json"]
RETIRED = [
    "rename episodes/ep to shipped/ep",
    "fsync shipped",
    "fsync episodes",
    "rename outbox/ep.receipt.json to shipped/ep.receipt.json",
    "fsync shipped",
    "unlink outbox/ep.tar.zst",
    "unlink outbox/ep.pack.json",
]


@pytest.fixture
def receiver() -> Iterator[StandIn]:
    with receiving() as one:
        one.commits = {COMMIT}
        yield one


@pytest.fixture
def host(tmp_path: Path, receiver: StandIn) -> LabHost:
    host = lab_host(tmp_path, receiver.url)
    ship(host)  # the folders are made
    return host


def order(host: LabHost, *words: str) -> list[str]:
    """Run a command; return what it did below the data folder, but for the state, which may be lost."""
    log = host.folder / "calls"
    done = host.run(*words, prefix=strace(log, "sendto"))
    assert done.returncode in {0, 1}, done.stderr
    found = changes(log, host.data, sends="PUT ")
    return [each for each in found if ".ship" not in each and "-probe." not in each]


@pytest.mark.contract("S1", "S2")
def test_an_episode_is_durable_before_it_is_sent_and_its_receipt_before_the_episode_goes(host: LabHost) -> None:
    host.episode("ep")
    assert order(host, "ship", "once") == [*PACKED, *RECEIPT, "fsync outbox", *RETIRED]


@pytest.mark.contract("S2")
def test_a_retirement_that_was_cut_makes_the_receipt_durable_before_the_record_goes(host: LabHost) -> None:
    host.episode("ep")
    killed_at_sync_of(host, host.data / "episodes")
    assert host.where()["shipped"] == ["ep"]
    assert order(host, "ship", "once") == RETIRED[1:]


REFUSED = [
    "fsync outbox/.ep.quarantine_reason.json.tmp",
    "rename outbox/.ep.quarantine_reason.json.tmp to episodes/ep/quarantine_reason.json",
    "fsync episodes/ep",
    "rename episodes/ep to quarantine/ep",
    "fsync quarantine",
    "fsync episodes",
    "unlink outbox/ep.tar.zst",
    "unlink outbox/ep.pack.json",
]


@pytest.mark.contract("S2")
def test_a_reason_is_durable_before_the_episode_moves_and_the_move_before_the_record_goes(host: LabHost) -> None:
    host.episode("ep", commit="b2" * 20)
    assert order(host, "ship", "once") == [*PACKED, *REFUSED]


@pytest.mark.contract("S2")
def test_a_move_to_quarantine_that_was_cut_is_durable_before_the_record_goes(host: LabHost) -> None:
    host.episode("ep", commit="b2" * 20)
    killed_at_sync_of(host, host.data / "episodes" / "ep")
    assert host.where()["episodes"] == ["ep"]
    assert order(host, "ship", "once") == REFUSED[3:]


@pytest.mark.contract("S2")
def test_an_episode_that_goes_back_loses_its_reason_durably_before_it_moves(host: LabHost) -> None:
    host.episode("ep", commit="b2" * 20)
    ship(host)
    assert order(host, "quarantine", "requeue", "ep") == [
        "unlink quarantine/ep/quarantine_reason.json",
        "fsync quarantine/ep",
        "rename quarantine/ep to episodes/ep",
        "fsync episodes",
        "fsync quarantine",
    ]


@pytest.mark.contract("S2")
def test_the_reason_of_an_episode_that_was_moved_back_by_hand_is_gone_durably_before_it_is_packed(
    host: LabHost,
) -> None:
    host.episode("ep", commit="b2" * 20)
    ship(host)
    (host.data / "quarantine" / "ep").rename(host.data / "episodes" / "ep")
    assert order(host, "ship", "once")[:3] == [
        "unlink episodes/ep/quarantine_reason.json",
        "fsync episodes/ep",
        PACKED[0],
    ]


@pytest.mark.contract("S1", "S2")
def test_a_long_archive_of_which_a_sync_ahead_has_failed_is_not_sent(host: LabHost, receiver: StandIn) -> None:
    """The kernel tells of lost bytes once: the last fsync would succeed."""
    host.episode("ep", files={"a.bin": os.urandom(20 << 20)})
    fail = ("-e", "trace=fdatasync", "-e", "inject=fdatasync:error=EIO:when=1")
    log = host.folder / "calls"
    host.run("ship", "once", prefix=("strace", "-f", "-qq", "-o", str(log), *fail))
    assert "(INJECTED)" in log.read_text()
    assert (receiver.stored, host.where()["outbox"]) == ({}, [])
    ship(host)
    assert host.where()["shipped"] == ["ep", "ep.receipt.json"]


@pytest.mark.contract("S2")
def test_half_an_episode_that_was_being_dropped_is_no_episode(host: LabHost) -> None:
    host.episode("ep", commit="b2" * 20, files={str(number): b"x" for number in range(9)})
    ship(host)
    assert host.where()["quarantine"] == ["ep"]
    kill = ("-e", "trace=unlinkat", "-e", "inject=unlinkat:signal=SIGKILL:when=4")
    done = host.run("quarantine", "drop", "ep", "--yes", prefix=("strace", "-f", "-qq", "-o", "/dev/null", *kill))
    assert done.returncode == -9, done.stderr
    assert host.where()["quarantine"] == []


@pytest.mark.contract("S2")
def test_half_an_episode_that_was_being_cleaned_up_goes_with_the_next_clean_up(host: LabHost) -> None:
    """Its receipt is what allows it to go, so that goes last."""
    host.episode("ep", files={str(number): b"x" for number in range(9)})
    ship(host)
    long_ago = time.time() - 3 * 86_400
    os.utime(host.data / "shipped" / "ep.receipt.json", (long_ago, long_ago))
    host.more = "shipped_keep_days = 1"
    host.write_config()
    kill = ("-e", "trace=unlinkat", "-e", "inject=unlinkat:signal=SIGKILL:when=4")
    done = host.run("ship", "once", prefix=("strace", "-f", "-qq", "-o", "/dev/null", *kill))
    assert done.returncode == -9, done.stderr
    assert host.where()["shipped"] == ["ep", "ep.receipt.json"]
    ship(host)
    assert host.where()["shipped"] == []


def killed_at_sync_of(host: LabHost, folder: Path) -> None:
    """Run ``ship once``, killed where it makes a folder durable for the first time."""
    kill = ("-e", "trace=fsync", "-e", "inject=fsync:signal=SIGKILL", "-P", str(folder))
    done = host.run("ship", "once", prefix=("strace", "-f", "-qq", "-o", "/dev/null", *kill))
    assert done.returncode == -9, done.stderr
