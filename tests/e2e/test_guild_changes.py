"""What nobody archives, and what changes in a guild: by name, once, and kept for ``status``."""

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from dce_play.discord.simulator.server import Simulator, running_simulator
from dce_play.discord.simulator.world import Access, Channel, Kind
from dce_play.discord.simulator.worlds import Size, build_world
from dce_play.snowflake import ChannelId
from tests.e2e.test_hostile_discord import operator
from tests.support.command_line import Terminal


@pytest.fixture
def simulator() -> Iterator[Simulator]:
    with running_simulator(build_world(1, size=Size(channels=3, messages=3))) as running:
        yield running


def texts(simulator: Simulator) -> list[Channel]:
    return [each for each in simulator.world.channels() if each.kind is Kind.TEXT]


def add_channel(simulator: Simulator, name: str, number: int) -> ChannelId:
    like = texts(simulator)[0]
    made = ChannelId(str(int(like.channel_id) + 4_000_000_000 * number))
    simulator.world.add(
        Channel(channel_id=made, kind=Kind.TEXT, name=name, guild_id=like.guild_id, authors=like.authors), messages=2
    )
    return made


def news(terminal: Terminal) -> list[str]:
    """Scrape, and return what it tells of the guild."""
    said = terminal.run("run", "scrape", "--skip-preflight", "-v")
    assert said.code == 0, said.out + said.err
    return [line.partition("! Target 'demo': ")[2] for line in said.out.splitlines() if "! Target 'demo': " in line]


@pytest.mark.contract("O18")
@pytest.mark.parametrize("discover", ["when_unseeded", "always"])
def test_each_change_is_told_once_and_stays_in_status(tmp_path: Path, simulator: Simulator, discover: str) -> None:
    terminal = operator(tmp_path, simulator, discover=discover)
    one, two, three = (each.channel_id for each in texts(simulator))
    assert news(terminal) == []
    assert news(terminal) == []
    simulator.world.change(one, name="lobby")
    simulator.world.change(two, access=Access.NO_MESSAGES)
    simulator.world.remove(three)
    memes = add_channel(simulator, "memes", 1)
    told = news(terminal)
    assert len(told) == 4, told
    assert any("is called" in line and "lobby" in line and one in line for line in told)
    assert any(line.endswith(f"({two}) cannot be read by this token") for line in told)
    assert any(f"({three}) is gone" in line for line in told)
    assert any(line.startswith("new channel ") and "memes" in line and memes in line for line in told)
    assert news(terminal) == [], "once"
    status = json.loads(terminal.run("status", "--format", "json").out)
    [target] = status["targets"]
    assert len(target["forbidden"]) == 1
    assert len(target["vanished"]) == 1
    assert [name.rpartition("/")[2].strip() for name in target["unarchived"]] == (
        ["memes"] if discover == "when_unseeded" else []
    )
    text = terminal.run("status").out
    assert "1 channel cannot be read by this token: " in text
    assert "1 channel gone from the guild: " in text
    simulator.world.change(two, access=Access.READ)
    assert [line.rpartition(") ")[2] for line in news(terminal)] == ["can be read again"]


@pytest.mark.contract("O18")
def test_what_is_not_wanted_is_no_news(tmp_path: Path, simulator: Simulator) -> None:
    terminal = operator(tmp_path, simulator, discover="always", exclude_channel_patterns=["*memes*"])
    assert news(terminal) == []
    memes = add_channel(simulator, "memes", 1)
    ops = add_channel(simulator, "ops", 2)
    assert [ops in line for line in news(terminal)] == [True]
    simulator.world.remove(memes)
    assert news(terminal) == []


@pytest.mark.contract("O17")
def test_discover_new_lists_what_nobody_archives(tmp_path: Path, simulator: Simulator) -> None:
    unwanted = add_channel(simulator, "unwanted", 1)
    terminal = operator(tmp_path, simulator, exclude_channel_ids=[unwanted])
    assert news(terminal) == []
    assert terminal.run("targets", "discover", "--new").out == ""
    memes = add_channel(simulator, "memes", 2)
    said = terminal.run("targets", "discover", "--new")
    assert said.code == 0, said.err
    [row] = said.out.splitlines()
    assert row.startswith(f"{memes}\tGuildTextChat\t")
    assert row.endswith("memes\tnew\tdemo")
    rows = json.loads(terminal.run("targets", "discover", "--new", "--target", "demo", "--format", "json").out)
    assert [(each["id"], each["target"]) for each in rows] == [(memes, "demo")]
    guild = next(iter(simulator.world.guilds))
    of_guild = terminal.run("targets", "discover", "--new", "--guild", guild).out
    assert {line.split("\t")[0] for line in of_guild.splitlines()} == {memes, unwanted}


def test_a_damaged_memory_is_begun_anew(tmp_path: Path, simulator: Simulator) -> None:
    terminal = operator(tmp_path, simulator)
    assert news(terminal) == []
    kept = tmp_path / "archives" / "demo" / ".dce-meta" / "guild.json"
    assert len(json.loads(kept.read_text(encoding="utf-8"))) == 3
    kept.write_text("{", encoding="utf-8")
    assert news(terminal) == []
    assert len(json.loads(kept.read_text(encoding="utf-8"))) == 3
