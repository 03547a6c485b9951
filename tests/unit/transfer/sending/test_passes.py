"""How often an episode is packed and sent in one pass, and what becomes of it then. The receiver is a stand-in."""

import os
from datetime import UTC, datetime, timedelta

import pytest

from dce_play.system.clock import SystemClock, utc_stamp
from dce_play.transfer.sending import attempt, ship_pass
from dce_play.transfer.sending.state import LARGEST_OFFSET_S
from tests.support.lab_hosts import LabHost, outcomes, ship
from tests.support.stand_in_receiver import Canned, StandIn


@pytest.mark.parametrize("rots", [attempt._MOST_ROUNDS - 1, attempt._MOST_ROUNDS])
def test_a_pack_that_rots_each_time_is_made_so_often(host: LabHost, receiver: StandIn, rots: int) -> None:
    host.episode("one")

    def rot(method: str, _path: str, count: int) -> Canned | None:
        if method != "PUT" or count >= rots:
            return None
        with (host.data / "outbox" / "one.tar.zst").open("r+b") as tar:
            tar.write(b"rotten")
        return Canned.problem(400, "digest_mismatch")

    receiver.answer = rot
    got = outcomes(ship(host))
    if rots < attempt._MOST_ROUNDS:
        assert got == {"one": ("stored", 201, "")}
    else:
        assert got == {"one": ("retry", 0, "changed")}
        assert host.where() == {"episodes": ["one"], "outbox": [], "shipped": [], "quarantine": []}
        assert outcomes(ship(host)) == {"one": ("stored", 201, "")}
    assert receiver.methods("/one").count("PUT") == rots + 1


@pytest.mark.parametrize("changes", [ship_pass._ROUNDS, ship_pass._ROUNDS + 1])
def test_an_episode_that_changes_each_time_it_is_sent_is_sent_so_often(
    host: LabHost, receiver: StandIn, changes: int
) -> None:
    folder = host.episode("one")

    def change(method: str, _path: str, count: int) -> None:
        receiver.stored.clear()
        if method == "PUT" and count < changes:
            (folder / "late.txt").write_text("x" * (count + 1))

    receiver.answer = change
    got = outcomes(ship(host))
    assert receiver.methods("/one").count("PUT") == ship_pass._ROUNDS + 1
    if changes > ship_pass._ROUNDS:  # it is not called stored: what was stored is other content
        assert got == {"one": ("retry", 0, "changed")}
        assert host.where() == {"episodes": ["one"], "outbox": [], "shipped": [], "quarantine": []}
        got = outcomes(ship(host))
    assert got == {"one": ("stored", 201, "")}
    assert (host.data / "shipped" / "one" / "late.txt").read_text() == "x" * changes


class Clock(SystemClock):
    """The machine's clock, and beside it one that the test moves."""

    def __init__(self, now: datetime | None = None) -> None:
        self.at = 0.0
        self._now = now

    def monotonic(self) -> float:
        return self.at

    def now(self) -> datetime:
        return self._now or super().now()


@pytest.mark.parametrize(("more_s", "retired"), [(0.0, []), (0.001, ["one", "two"])])
def test_what_is_stored_is_retired_after_so_long(
    host: LabHost, receiver: StandIn, more_s: float, retired: list[str]
) -> None:
    clock = Clock()
    seen: list[list[str]] = []

    def answer(method: str, path: str, _count: int) -> None:
        if method == "PUT" and path.endswith("two"):
            clock.at += attempt._LONGEST_UNRETIRED_S + more_s
        if method == "PUT" and path.endswith("three"):
            seen.append([name for name in host.where()["shipped"] if "." not in name])

    receiver.answer = answer
    for number, name in enumerate(("one", "two", "three")):
        meta = host.episode(name) / "meta.json"
        os.utime(meta, (number, number))  # the oldest goes first
    ship(host, clock=clock)
    assert seen == [retired]
    assert [name for name in host.where()["shipped"] if "." not in name] == ["one", "three", "two"]


@pytest.mark.parametrize(("more_s", "left"), [(0, []), (1, ["old"])])
def test_a_clock_that_is_off_by_more_decides_nothing(
    host: LabHost, receiver: StandIn, more_s: int, left: list[str]
) -> None:
    now = datetime.now(UTC).replace(microsecond=0)
    receiver.date = (now - timedelta(seconds=LARGEST_OFFSET_S + more_s)).strftime("%a, %d %b %Y %H:%M:%S GMT")
    host.episode("one")
    ship(host, clock=Clock(now))
    old = host.data / "quarantine" / "old"
    old.mkdir()
    moment = utc_stamp(now - timedelta(days=31))
    (old / "quarantine_reason.json").write_text(
        f'{{"v": 1, "id": "old", "reason": "bad_meta", "quarantined_at": "{moment}"}}'
    )
    ship(host, clock=Clock(now))
    assert host.where()["quarantine"] == left
