"""How long an episode, and the whole shipper, waits."""

from pathlib import Path

import pytest

from dce_play.transfer.ids import EpisodeId
from dce_play.transfer.sending.backoff import Backoff
from dce_play.transfer.sending.settings import load_config
from dce_play.transfer.sending.state import StateFile, Wait
from tests.support.lab_hosts import lab_host

ONE = EpisodeId("one")


class Life:
    """A back-off whose time and luck the test decides."""

    def __init__(self, folder: Path) -> None:
        config = load_config(lab_host(folder, "http://127.0.0.1:1").config)
        self.at = 1_000_000.0
        self.ranges: list[float] = []
        folder.joinpath("data", ".ship").mkdir(exist_ok=True)
        self.file = StateFile(folder / "data" / ".ship")
        self.backoff = Backoff(config, self.file, now=lambda: self.at, draw=self.draw)

    def draw(self, low: float, high: float) -> float:
        assert low == 0.0
        self.ranges.append(high)
        return high


@pytest.fixture
def life(tmp_path: Path) -> Life:
    return Life(tmp_path)


@pytest.mark.contract("S3")
def test_the_wait_doubles_up_to_its_cap(life: Life) -> None:
    for _ in range(60):
        life.backoff.failed(ONE, None)
    assert life.ranges[:5] == [1.0, 2.0, 4.0, 8.0, 16.0]
    assert life.ranges[-1] == 300.0
    life.at += 299
    assert life.backoff.waits(ONE)
    life.at += 2
    assert not life.backoff.waits(ONE)


@pytest.mark.contract("S3")
def test_a_retry_after_is_the_least_and_a_year_is_capped(life: Life) -> None:
    life.backoff.failed(ONE, 50.0)
    life.at += 49
    assert life.backoff.waits(ONE)
    life.backoff.pause("unreachable", 365 * 86_400.0)
    life.at += 3_601
    assert life.backoff.pause_is_over
    assert life.backoff.paused == "unreachable"
    life.backoff.resume()
    assert life.backoff.paused is None


def test_more_failures_than_a_wait_can_double_are_as_many(life: Life) -> None:
    life.file.state.backoff[ONE] = Wait(failures=10**6)
    life.backoff.failed(ONE, None)
    assert life.ranges == [300.0]
    assert life.file.state.backoff[ONE].failures == 10**6 + 1


def test_a_clock_that_was_set_back_lets_nobody_wait_for_ever(life: Life) -> None:
    life.backoff.failed(ONE, None)
    life.at -= 10 * 365 * 86_400
    assert not life.backoff.waits(ONE)


@pytest.mark.contract("S4")
def test_waits_are_kept_over_restarts_and_forgotten_with_their_episode(life: Life, tmp_path: Path) -> None:
    life.backoff.failed(ONE, 100.0)
    life.file.save()
    again = Life(tmp_path)
    assert again.backoff.waits(ONE)
    again.backoff.keep_only(set())
    assert not again.backoff.waits(ONE)


def test_a_state_that_cannot_be_read_is_an_empty_one(tmp_path: Path) -> None:
    life = Life(tmp_path)
    life.backoff.failed(ONE, 100.0)
    life.file.save()
    life.file.path.write_bytes(b'{"v": 1, "backoff": 7')
    assert not Life(tmp_path).backoff.waits(ONE)
