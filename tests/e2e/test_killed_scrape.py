"""A scrape that is killed at any moment and run again loses nothing."""

import json
import random
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from dce_play.discord.simulator.server import Simulator, running_simulator
from dce_play.discord.simulator.worlds import Size, build_world
from tests.support.simulated_scrape import scrape_environment, write_targets

SCRAPE = ("run", "scrape", "--skip-preflight")


def start(folder: Path, simulator: Simulator, words: tuple[str, ...] = SCRAPE) -> subprocess.Popen[bytes]:
    log = (folder / "out.txt").open("ab")
    with log:
        return subprocess.Popen(
            [sys.executable, "-m", "dce_play", *words],
            cwd=folder,
            env=scrape_environment(folder, simulator),
            stdout=log,
            stderr=log,
        )


def prepare(folder: Path, simulator: Simulator) -> Path:
    folder.mkdir()
    return write_targets(folder, guild_ids=list(simulator.world.guilds), discover="always")


def finish(folder: Path, simulator: Simulator) -> None:
    process = start(folder, simulator)
    assert process.wait(120) == 0, (folder / "out.txt").read_text()


def contents(target: Path) -> dict[str, object]:
    """Return each channel file's messages, without who reacted.

    How a person who reacted looks depends on who was met before in the same export, as in DCE's own files; a scrape
    that was killed has more exports than one that was not.
    """
    found: dict[str, object] = {}
    for path in sorted(target.glob("*.json")):
        value = json.loads(path.read_bytes())
        assert value["messageCount"] == len(value["messages"])
        for message in value["messages"]:
            for reaction in message["reactions"]:
                reaction["users"] = [user["id"] for user in reaction["users"]]
        found[path.name] = value["messages"]
    return found


@pytest.mark.slow
@pytest.mark.contract("R-3.11", "R-4.17", "R-5.06", "R-18.02", "R-19.02")
def test_a_scrape_killed_again_and_again_ends_like_an_undisturbed_one(tmp_path: Path) -> None:
    dice = random.Random(20261121)
    with running_simulator(build_world(5, size=Size(channels=4, messages=700))) as simulator:
        calm, rough = tmp_path / "calm", tmp_path / "rough"
        for folder in (calm, rough):
            prepare(folder, simulator)
        for _ in range(12):
            process = start(rough, simulator)
            time.sleep(dice.uniform(0.3, 1.6))
            process.send_signal(signal.SIGKILL)
            process.wait(30)
        simulator.grow(40)
        finish(rough, simulator)
        finish(calm, simulator)
        finish(rough, simulator)
    assert contents(rough / "archives/demo") == contents(calm / "archives/demo")
    assert len(contents(calm / "archives/demo")) == 4
    assert not list((rough / "archives/demo/.dce-temp").glob("export.*"))


def began(folder: Path) -> int:
    """Return how many bytes all journals have: it grows as soon as a run begins, or goes on."""
    return sum(path.stat().st_size for path in folder.glob(".local/state/dce-play/runs/*/events.jsonl"))


@pytest.mark.soak
@pytest.mark.timeout(1800)
@pytest.mark.contract("R-3.11", "R-5.06")
def test_fifty_kills_each_gone_on_from_with_resume_lose_nothing(tmp_path: Path) -> None:
    dice = random.Random(7)
    kills = resumed = 0
    with running_simulator(build_world(5, size=Size(channels=4, messages=500))) as simulator:
        calm, rough = tmp_path / "calm", tmp_path / "rough"
        for folder in (calm, rough):
            prepare(folder, simulator)
        unfinished = False
        while kills < 50:
            before = began(rough)
            process = start(rough, simulator, ("resume",) if unfinished else SCRAPE)
            while process.poll() is None and began(rough) == before:
                time.sleep(0.01)
            try:
                assert process.wait(dice.uniform(0.0, 2.0)) == 0, (rough / "out.txt").read_text()
            except subprocess.TimeoutExpired:
                process.send_signal(signal.SIGKILL)
                process.wait(30)
                kills += 1
            else:
                simulator.grow(400)
            resumed += unfinished
            unfinished = process.returncode != 0
        finish(rough, simulator)
        finish(calm, simulator)
    assert contents(rough / "archives/demo") == contents(calm / "archives/demo")
    assert resumed >= 40
    print(f"\n{kills} kills, {resumed} of them gone on from with resume, nothing lost")


@pytest.mark.contract("R-3.19", "R-14.02")
@pytest.mark.parametrize(("number", "exit_code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_a_scrape_that_is_told_to_stop_keeps_what_it_has_and_says_so(
    tmp_path: Path, number: signal.Signals, exit_code: int
) -> None:
    with running_simulator(build_world(6, size=Size(channels=2, messages=20_000))) as simulator:
        folder = tmp_path / "run"
        target = prepare(folder, simulator)
        process = start(folder, simulator)
        deadline = time.monotonic() + 60
        while not any(path.stat().st_size > 10_000 for path in target.glob(".dce-temp/export.*/export.json")):
            assert process.poll() is None, (folder / "out.txt").read_text()
            assert time.monotonic() < deadline
            time.sleep(0.05)
        process.send_signal(number)
        assert process.wait(60) == exit_code, (folder / "out.txt").read_text()
    (summary,) = (folder / ".local/state/dce-play/runs").glob("*/*.summary.json")
    actions = {row["action"] for row in json.loads(summary.read_text())["channels"]}
    assert actions == {"NOT_TRIED"}
    assert list(target.glob(".dce-temp/export.*/export.json"))
    assert not (folder / "archives/.dce-scrape.lock.meta").exists()
