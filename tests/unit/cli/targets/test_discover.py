"""``dce-play targets discover``, as its own process, against the simulated Discord over real HTTP."""

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from dce_play.discord.simulator.server import Simulator, running_simulator
from dce_play.discord.simulator.worlds import rehearsal_world
from tests.support.channel_files import write_channel
from tests.support.command_line import Terminal, terminal_in


@pytest.fixture(scope="module")
def discord() -> Iterator[Simulator]:
    with running_simulator(rehearsal_world(1)) as simulator:
        yield simulator


@pytest.fixture
def terminal(tmp_path: Path, discord: Simulator) -> Terminal:
    return terminal_in(tmp_path, DCE_DISCORD_API_BASE=discord.base_url, DISCORD_TOKEN=discord.token)


def rows(text: str) -> list[list[str]]:
    return [line.split("\t") for line in text.splitlines()]


@pytest.mark.contract("R-17.02")
def test_without_options_the_guilds_are_listed(terminal: Terminal, discord: Simulator) -> None:
    said = terminal.run("targets", "discover")
    assert said.code == 0, said.err
    assert rows(said.out) == [[each.guild_id, "Guild", each.name] for each in discord.world.guilds.values()]


@pytest.mark.contract("R-17.02", "R-3.01")
def test_a_guilds_channels_tell_which_are_archived(terminal: Terminal, discord: Simulator, tmp_path: Path) -> None:
    guild = next(iter(discord.world.guilds))
    new = json.loads(terminal.run("targets", "discover", "--guild", guild, "--format", "json").out)
    assert {each["state"] for each in new} == {"new"}
    first = new[0]["id"]
    write_channel(tmp_path / "archives" / "lab" / f"room [{first}].json", [1, 2], channel_id=first)
    target = {"name": "lab", "output_dir": str(tmp_path / "archives" / "lab"), "guild_ids": [guild]}
    targets = {"archive_root": str(tmp_path / "archives"), "targets": [target]}
    terminal.write("scrape-targets.json", json.dumps(targets))
    for words in (("--guild", guild), ("--target", "lab")):
        said = terminal.run("targets", "discover", *words)
        assert said.code == 0, said.err
        assert {row[0] for row in rows(said.out) if row[3] == "archived"} == {first}
    assert not list((tmp_path / "archives").rglob(".dce-*"))


def test_a_wrong_call_is_told(terminal: Terminal) -> None:
    both = terminal.run("targets", "discover", "--target", "x", "--guild", "754679440998400000")
    assert (both.code, "not both" in both.err) == (2, True)
    assert terminal.run("targets", "discover", "--guild", "lab").code == 2
    assert "no targets file" in terminal.run("targets", "discover", "--target", "lab").err


@pytest.mark.contract("R-18.04")
def test_a_refused_token_is_exit_7_and_never_shown(tmp_path: Path, discord: Simulator) -> None:
    terminal = terminal_in(tmp_path, DCE_DISCORD_API_BASE=discord.base_url, DISCORD_TOKEN="canary-that-is-refused")
    said = terminal.run("targets", "discover")
    assert said.code == 7
    assert "canary-that-is-refused" not in said.out + said.err
