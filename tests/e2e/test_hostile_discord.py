"""Scrapes against a simulated Discord that refuses, blocks, hides and forges: what the run says, and its exit code."""

import json
from pathlib import Path
from typing import Any

import pytest

from dce_play.discord.simulator.faults import Fault, Faults, Other, Page, Status
from dce_play.discord.simulator.server import Simulator, running_simulator
from dce_play.discord.simulator.world import Access, Kind
from dce_play.discord.simulator.worlds import Size, build_world
from tests.support.command_line import Said, Terminal, terminal_in


def operator(folder: Path, simulator: Simulator, **target: Any) -> Terminal:
    """Return a terminal with a targets file of one target, over the world's first guild."""
    guild_id = next(iter(simulator.world.guilds))
    entry = {"name": "demo", "output_dir": f"{folder}/archives/demo", "guild_ids": [guild_id], **target}
    (folder / "targets.json").write_text(json.dumps({"archive_root": f"{folder}/archives", "targets": [entry]}))
    return terminal_in(
        folder,
        DCE_MIN_FREE_MB="0",
        DCE_DISCORD_API_BASE=simulator.base_url,
        DCE_CONFIG_FILE=str(folder / "targets.json"),
        DISCORD_TOKEN=simulator.token,
    )


def scrape(terminal: Terminal) -> Said:
    return terminal.run("run", "scrape", "--skip-preflight", "-v", timeout_s=280)


NOT_READY = Other(
    status=202, body={"message": "index not yet available", "code": 110000, "documents_indexed": 0, "retry_after": 0.1}
)
VERIFY = Other(status=403, body={"message": "verify your account", "code": 40002})
TROUBLES: dict[str, tuple[Fault, int]] = {
    "the edge keeps the client out of messages": (Fault(path="/channels/*/messages*", trouble=Page(), times=None), 1),
    "the edge keeps the client out of all": (Fault(trouble=Page(status=404), times=None), 1),
    "the account is to be verified": (
        Fault(path="/channels/*/messages*", trouble=VERIFY, times=None),
        1,
    ),
    "the guild's channels are refused": (
        Fault(path="/guilds/*/channels", trouble=Other(status=403, body={"message": "no", "code": 50001}), times=None),
        1,
    ),
    "the guild's channels are an object": (Fault(path="/guilds/*/channels", trouble=Other(body={}), times=None), 1),
    "threads come without their list": (
        Fault(path="/channels/*/threads/search*", trouble=Other(body={"has_more": False}), times=None),
        1,
    ),
    "messages are an error with 200": (
        Fault(path="/channels/*/messages*", trouble=Other(body={"message": "busy"}), times=None),
        1,
    ),
    "messages are 503 for ever": (
        Fault(path="/channels/*/messages*", trouble=Status(status=503), times=None),
        1,
    ),
    "one page of a proxy": (Fault(path="/channels/*/messages*", trouble=Page(status=400)), 0),
    "an index that gets ready": (Fault(path="/channels/*/threads/search*", trouble=NOT_READY, times=2), 0),
}


ALWAYS = {
    "the edge keeps the client out of messages",
    "the guild's channels are refused",
    "one page of a proxy",
    "an index that gets ready",
}
"""The others wait for ten seconds each and more, as these do for one of them."""


@pytest.mark.parametrize(
    "name", [pytest.param(each, marks=() if each in ALWAYS else pytest.mark.soak) for each in TROUBLES]
)
@pytest.mark.contract("F-L1", "F-L2", "F-D8")
def test_a_run_is_ok_only_when_everything_was_seen(tmp_path: Path, name: str) -> None:
    fault, code = TROUBLES[name]
    with running_simulator(build_world(1, size=Size(channels=1, messages=3))) as simulator:
        simulator.play(Faults(scripted=(fault,)))
        said = scrape(operator(tmp_path, simulator))
    assert said.code == code, said.out + said.err
    assert ("scrape completed successfully" in said.out) is (code == 0)
    assert "forbidden" not in said.out or "guilds/" in said.out + said.err


@pytest.mark.contract("F-L3")
def test_a_channel_without_its_history_is_named_as_such(tmp_path: Path) -> None:
    world = build_world(1, size=Size(channels=2, messages=3))
    channel = next(each for each in world.channels() if each.kind is Kind.TEXT)
    world.change(channel.channel_id, access=Access.NO_HISTORY)
    with running_simulator(world) as simulator:
        said = scrape(operator(tmp_path, simulator))
    assert said.code == 0, said.out
    assert f"SKIPPED  channel {channel.channel_id}" in said.out
    assert "no_history" in said.out


@pytest.mark.contract("F-L6")
def test_what_a_narrowed_first_run_left_is_fetched_by_the_next(tmp_path: Path) -> None:
    world = build_world(1, size=Size(channels=2, messages=3))
    first, *_ = (each.channel_id for each in world.channels() if each.kind is Kind.TEXT)
    with running_simulator(world) as simulator:
        terminal = operator(tmp_path, simulator)
        narrowed = terminal.run("run", "scrape", "--skip-preflight", "-v", "--channel", first)
        whole = scrape(terminal)
    assert (narrowed.code, whole.code) == (0, 0), narrowed.out + whole.out
    assert "is not archived" in narrowed.out
    assert "1 created" in narrowed.out
    assert "1 unchanged" in whole.out
    assert "are not archived" not in whole.out
