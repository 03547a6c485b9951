"""What operators met most: one huge channel whose export is killed again and again."""

import random
import re
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from dce_play.discord.simulator.server import Simulator, running_simulator
from dce_play.discord.simulator.world import Channel
from dce_play.discord.simulator.worlds import Size, build_world
from tests.support.channel_files import write_large_channel
from tests.support.processes import peak_mib
from tests.support.simulated_scrape import scrape_environment, write_targets

MESSAGES, NEW_MESSAGES = 350_000, 6_000
LIMIT_MIB = 256
KILLS = 3


ARGV = (sys.executable, "-m", "dce_play", "run", "scrape", "--skip-preflight")


def start(folder: Path, simulator: Simulator) -> "subprocess.Popen[bytes]":
    return subprocess.Popen(ARGV, cwd=folder, env=scrape_environment(folder, simulator), stdout=subprocess.DEVNULL)


def lay_out(folder: Path, channel: Channel) -> Path:
    archive = write_large_channel(
        folder / f"archives/demo/room [{channel.channel_id}].json",
        1,
        MESSAGES,
        channel_id=channel.channel_id,
        guild_id=str(channel.guild_id),
    )
    write_targets(folder)
    return archive


def size_of(folder: Path) -> int:
    return sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())


def partials(archive: Path) -> dict[Path, int]:
    return {path: path.stat().st_size for path in archive.parent.glob(".dce-temp/export.*/export.json")}


def message_ids(archive: Path) -> list[bytes]:
    """Return the ids in file order. Who reacted looks different where an export began anew, as in DCE's own files."""
    return re.findall(rb'^      "id": "(\d+)"', archive.read_bytes(), re.MULTILINE)


def kill_in_the_middle(folder: Path, simulator: Simulator, archive: Path, dice: random.Random) -> None:
    """Start a scrape and kill it when its export, which is none of those left before, has come some way."""
    earlier = set(partials(archive))
    goal = dice.randrange(300_000, 1_000_000)
    process = start(folder, simulator)
    while not any(size >= goal for path, size in partials(archive).items() if path not in earlier):
        assert process.poll() is None
        time.sleep(0.01)
    process.send_signal(signal.SIGKILL)
    process.wait()


@pytest.mark.slow
@pytest.mark.contract("R-19.02", "R-3.09", "R-3.12", "R-4.08", "R-4.16")
def test_a_huge_channel_killed_three_times_gains_each_time_and_ends_with_all_messages(tmp_path: Path) -> None:
    dice = random.Random(20261121)
    with running_simulator(build_world(7, size=Size(channels=1, messages=NEW_MESSAGES))) as simulator:
        (channel,) = simulator.world.channels()
        rough = lay_out(tmp_path / "rough", channel)
        calm = lay_out(tmp_path / "calm", channel)
        before = rough.stat().st_size
        for _ in range(KILLS):
            kill_in_the_middle(tmp_path / "rough", simulator, rough, dice)
            increment = rough.stat().st_size - before + sum(partials(rough).values())
            assert size_of(tmp_path / "rough/archives") <= 2 * before + 2 * increment
        gained = rough.stat().st_size - before
        assert gained > (KILLS - 1) * 250_000
        for folder in ("rough", "calm"):
            place = tmp_path / folder
            assert peak_mib(ARGV, cwd=place, env=scrape_environment(place, simulator)) < LIMIT_MIB
    assert message_ids(rough) == message_ids(calm)
    assert len(set(message_ids(rough))) == MESSAGES + NEW_MESSAGES
    rough.unlink()
    calm.unlink()
