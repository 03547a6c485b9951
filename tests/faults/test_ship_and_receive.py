"""Both sides real, both killed at random, over and over: nothing lost, nothing twice."""

import random
import signal
import subprocess
import time
from pathlib import Path

import pytest

from tests.support.fault_proxy import fault_proxy
from tests.support.lab_hosts import lab_host, ship
from tests.support.real_receiver import Receiver, real_receiver


def kill_for(receiver: Receiver, folder: Path, *, episodes: int, seed: int, lives_s: float = 0.4) -> int:
    """Ship so many episodes through a proxy that cuts, killing either side again and again; return the kills.

    Both live ``lives_s`` at least, and up to a second more, before one of them is killed.
    """
    dice = random.Random(seed)
    receiver.folder.mkdir(exist_ok=True)
    kills = 0
    with fault_proxy(receiver.port) as proxy:
        host = lab_host(
            folder,
            f"http://127.0.0.1:{proxy.port}",
            more="scan_interval_s = 0.02\nconcurrency = 4",
            receiver="read_timeout_s = 2\n[retry]\nbase_s = 0.02\ncap_s = 0.1\n[resume]\nabove = 3000\nchunk = 2000\n",
        )
        (folder / "token").write_text(receiver.token())
        for number in range(episodes):
            host.episode(f"e{number:04}", files={"a": dice.randbytes(dice.choice([10, 500, 6000]))})
        deadline = time.monotonic() + 300 + episodes / 3
        while host.where()["episodes"] and time.monotonic() < deadline:
            proxy.reset_after_bytes = dice.choice([None, None, 400, 3000])
            with receiver.running() as server:
                shipper = subprocess.Popen(
                    host.argv("ship", "run"), cwd=folder, env=host.environment, stderr=subprocess.DEVNULL
                )
                try:
                    time.sleep(lives_s + dice.random())
                    victim = dice.choice([server, shipper])
                    victim.send_signal(signal.SIGKILL)
                    kills += 1
                    time.sleep(dice.random() / 5)
                finally:
                    shipper.kill()
                    shipper.wait(10)
        proxy.reset_after_bytes = None
        with receiver.running():
            ship(host)
    wanted = sorted(f"e{number:04}" for number in range(episodes))
    where = host.where()
    assert [name for name in where["shipped"] if not name.endswith(".json")] == wanted
    assert (where["episodes"], where["outbox"], where["quarantine"]) == ([], [], [])
    assert receiver.stored() == wanted
    assert sorted(receiver.index_ids()) == wanted
    return kills


@pytest.mark.contract("S2")
def test_both_sides_killed_at_random_lose_and_double_nothing(tmp_path: Path) -> None:
    receiver = real_receiver(tmp_path / "receiver")
    assert kill_for(receiver, tmp_path / "host", episodes=25, seed=1) >= 1


@pytest.mark.soak
@pytest.mark.contract("S2")
def test_ten_thousand_episodes_survive_both_sides_being_killed(tmp_path: Path) -> None:
    receiver = real_receiver(tmp_path / "receiver")
    assert kill_for(receiver, tmp_path / "host", episodes=10_000, seed=2, lives_s=6.0) >= 10
