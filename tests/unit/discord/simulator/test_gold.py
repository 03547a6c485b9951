"""The simulator says what Discord's API said when the gold answers were recorded: the same keys, the same types."""

import json
import re
from collections import defaultdict
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest

from dce_play.discord.simulator.api import Call, answer
from dce_play.discord.simulator.world import World
from dce_play.discord.simulator.worlds import rehearsal_world

GOLD = Path(__file__).parents[3] / "data" / "gold"
RECORDED = ("stub-rich", "stub-th", "stub-secret", "stub-empty")
"""The recordings that hold what an exporter reads; Spacebar's answers (``sb-*``) have many keys besides."""

Shape = dict[str, set[str]]


def add_shape(value: Any, at: str, shape: Shape) -> None:
    """Note the type of everything inside a JSON value under its path; list items share one path."""
    kind = {dict: "object", list: "list", str: "text", bool: "flag", int: "number", float: "number"}
    shape[at].add("null" if value is None else kind[type(value)])
    if isinstance(value, dict):
        for key, inner in value.items():
            add_shape(inner, f"{at}.{key}", shape)
    elif isinstance(value, list):
        for inner in value:
            add_shape(inner, f"{at}[]", shape)


def route_of(path: str) -> str:
    path = re.sub(r"\?.*", "", path).removeprefix("/api/v10")
    return re.sub(r"(?<=reactions/).*", "*", re.sub(r"/\d+", "/*", path))


def recorded() -> Mapping[str, Shape]:
    shapes: dict[str, Shape] = defaultdict(lambda: defaultdict(set))
    for name in RECORDED:
        for line in (GOLD / name / "api.jsonl").read_bytes().splitlines():
            entry = json.loads(line)
            if entry["status"] == 200:
                add_shape(entry["body"], "", shapes[route_of(entry["path"])])
    return shapes


def simulated_paths(world: World) -> Iterator[str]:
    yield "/users/@me"
    for guild in world.guilds.values():
        yield f"/guilds/{guild.guild_id}"
        yield f"/guilds/{guild.guild_id}/channels"
        yield f"/guilds/{guild.guild_id}/roles"
        for member in guild.members:
            yield f"/guilds/{guild.guild_id}/members/{member.user.user_id}"
    for channel in world.channels():
        yield f"/channels/{channel.channel_id}"
        if world.timeline(channel.channel_id).count and channel.name != "board-room":
            yield f"/channels/{channel.channel_id}/messages"


def simulated() -> Mapping[str, Shape]:
    world = rehearsal_world(1)
    shapes: dict[str, Shape] = defaultdict(lambda: defaultdict(set))
    for path in simulated_paths(world):
        body = answer(Call(world=world, bot=False, query={"limit": "100"}), path)
        add_shape(body, "", shapes[route_of(path)])
        for message in body if path.endswith("/messages") and isinstance(body, list) else ():
            for reaction in message.get("reactions", ()):
                key = ":".join(filter(None, (reaction["emoji"]["name"], reaction["emoji"]["id"])))
                users = answer(Call(world=world, bot=False, query={}), f"{path}/{message['id']}/reactions/{key}")
                add_shape(users, "", shapes[f"{route_of(path)}/*/reactions/*"])
    return shapes


ROUTES = sorted(recorded())


def test_the_recordings_cover_the_routes_of_one_export() -> None:
    assert len(ROUTES) == 8


@pytest.mark.contract("R-15.06")
@pytest.mark.parametrize("route", ROUTES)
def test_every_key_of_the_recorded_answers_is_answered_with_the_same_type(route: str) -> None:
    want, got = recorded()[route], simulated()[route]
    missing = {path: kinds for path, kinds in want.items() if not kinds <= got[path] | {"null"}}
    assert missing == {}


@pytest.mark.contract("R-15.06")
@pytest.mark.parametrize("route", ROUTES)
def test_no_key_of_the_recorded_answers_has_another_type(route: str) -> None:
    want, got = recorded()[route], simulated()[route]
    told = {path: kinds for path, kinds in want.items() if kinds != {"null"}}
    other = {path: got[path] for path, kinds in told.items() if not got[path] <= kinds | {"null"}}
    assert other == {}
