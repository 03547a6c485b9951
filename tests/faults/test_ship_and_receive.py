"""Both sides real, both killed at random, over and over: nothing lost, nothing twice."""

import random
import signal
import subprocess
import time
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from tests.support.fault_proxy import fault_proxy
from tests.support.lab_hosts import lab_host, ship
from tests.support.real_receiver import Receiver, real_receiver


@dataclass(slots=True, kw_only=True)
class Toll:
    """What was killed, and what became of the episodes."""

    episodes: int
    lives: int = 0
    """How often both sides were started; each life ends with a kill."""
    kills: Counter[str] = field(default_factory=Counter)
    """Of each side; the other one of a life is killed a moment later."""
    connections: int = 0
    lost: set[str] = field(default_factory=set)
    """Ids that are not stored, not in the index or not in ``shipped/``."""
    doubled: set[str] = field(default_factory=set)
    """Ids that stand in the index or in ``shipped/`` more than once."""

    def __str__(self) -> str:
        sides = ", ".join(f"{side} first {count}" for side, count in sorted(self.kills.items()))
        return (
            f"{self.episodes:,} episodes, {2 * self.lives} kills ({sides}), {self.connections:,} connections:"
            f" {len(self.lost)} lost, {len(self.doubled)} doubled"
        )


def kill_for(receiver: Receiver, folder: Path, *, episodes: int, seed: int, lives_s: float = 0.4) -> Toll:
    """Ship so many episodes through a proxy that cuts, killing either side again and again; return the toll.

    Both live ``lives_s`` at least, and up to a second more, before one of them is killed.
    """
    dice = random.Random(seed)
    receiver.folder.mkdir(exist_ok=True)
    toll = Toll(episodes=episodes)
    with fault_proxy(receiver.port) as proxy:
        host = lab_host(
            folder,
            f"http://127.0.0.1:{proxy.port}",
            more="scan_interval_s = 0.02\nconcurrency = 4",
            receiver="read_timeout_s = 2\n[retry]\nbase_s = 0.02\ncap_s = 0.1\n[resume]\nabove = 3000\nchunk = 2000\n",
        )
        (folder / "token").write_text(receiver.token())
        for number in range(episodes):
            host.episode(f"e{number:05}", files={"a": dice.randbytes(dice.choice([10, 500, 6000]))})
        deadline = time.monotonic() + 250 + episodes * 0.3
        while host.where()["episodes"] and time.monotonic() < deadline:
            proxy.reset_after_bytes = dice.choice([None, None, 400, 3000])
            with receiver.running() as server:
                shipper = subprocess.Popen(
                    host.argv("ship", "run"), cwd=folder, env=host.environment, stderr=subprocess.DEVNULL
                )
                try:
                    time.sleep(lives_s + dice.random())
                    side = dice.choice(["receiver", "shipper"])
                    {"receiver": server, "shipper": shipper}[side].send_signal(signal.SIGKILL)
                    toll.kills[side] += 1
                    time.sleep(dice.random() / 5)
                finally:
                    shipper.kill()
                    shipper.wait(10)
            toll.lives += 1
        proxy.reset_after_bytes = None
        with receiver.running():
            ship(host)
        toll.connections = proxy.connections
    wanted = {f"e{number:05}" for number in range(episodes)}
    where = host.where()
    shipped = Counter(name.partition("~")[0] for name in where["shipped"] if not name.endswith(".json"))
    listed, stored = Counter(receiver.index_ids()), set(receiver.stored())
    toll.lost = wanted - (stored & shipped.keys() & listed.keys())
    toll.doubled = {name for counted in (shipped, listed) for name, count in counted.items() if count > 1}
    assert (where["episodes"], where["outbox"], where["quarantine"]) == ([], [], [])
    assert stored == wanted
    return toll


@pytest.mark.contract("S2")
def test_both_sides_killed_at_random_lose_and_double_nothing(tmp_path: Path) -> None:
    receiver = real_receiver(tmp_path / "receiver")
    toll = kill_for(receiver, tmp_path / "host", episodes=25, seed=1)
    assert (toll.lost, toll.doubled) == (set(), set())
    assert toll.lives >= 1


@pytest.mark.soak
@pytest.mark.contract("S2")
def test_ten_thousand_episodes_survive_both_sides_being_killed(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    receiver = real_receiver(tmp_path / "receiver")
    toll = kill_for(receiver, tmp_path / "host", episodes=10_000, seed=2, lives_s=10.0)
    with capsys.disabled():
        print(f"\n{toll}")
    assert (toll.lost, toll.doubled) == (set(), set())
    assert toll.lives >= 10
