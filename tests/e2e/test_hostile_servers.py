"""Runs of the real command line against hostile servers: nothing is missing after a success, nothing is ever lost.

Every scenario is a run of its own over an archive that is there already; they run side by side. ``pytest -s`` prints
how many were tried and held.
"""

import json
import shutil
from collections.abc import Iterable, Iterator
from pathlib import Path

import pytest

from dce_play.discord.simulator.world import Channel, Kind, World
from dce_play.discord.simulator.worlds import Size, build_world
from dce_play.snowflake import ChannelId
from tests.support.forked_commands import Command, Ended, run_all
from tests.support.hostile_discord import HostileDiscord, running_hostile_discord
from tests.support.hostile_scenarios import SCENARIOS, End, Scenario

AT_ONCE = 48
LIMIT_S = 240.0
PATIENT = "15s"
"""Where a client is right to wait for minutes, the run is given this long."""
FORESEEN = {0, 1, 7, 8, 124}


def grown(world: World) -> None:
    """Let the archived channel get two pages more, and the guild a channel, a forum and threads."""
    first = next(each for each in world.channels() if each.kind is Kind.TEXT)
    base = int(max(each.channel_id for each in world.channels())) + (1 << 40)
    for number, (kind, parent, messages, archived) in enumerate(
        [
            (Kind.TEXT, None, 4, False),
            (Kind.FORUM, None, 0, False),
            (Kind.PUBLIC_THREAD, first.channel_id, 3, False),
            (Kind.PUBLIC_THREAD, str(base + 1), 3, True),
        ]
    ):
        world.add(
            Channel(
                channel_id=ChannelId(str(base + number)),
                kind=kind,
                name=f"new-{number}",
                guild_id=first.guild_id,
                parent_id=None if parent is None else ChannelId(parent),
                authors=first.authors,
                archived=archived,
            ),
            messages=messages,
        )
    world.grow(130, channel_id=first.channel_id)


def truth(world: World) -> dict[str, set[int]]:
    """Return the message ids of each channel that has any."""
    found = {
        each.channel_id: {
            int(world.timeline(each.channel_id).id_at(at)) for at in range(world.timeline(each.channel_id).count)
        }
        for each in world.channels()
    }
    return {channel_id: ids for channel_id, ids in found.items() if ids}


def archived(root: Path) -> dict[str, list[int]]:
    """Return the message ids of each channel file, in the file's order.

    Raises: ValueError, when a file is no whole JSON.
    """
    found: dict[str, list[int]] = {}
    for path in sorted(root.rglob("*.json")):
        if {".dce-meta", ".dce-temp"} & {*path.parts}:
            continue
        document = json.loads(path.read_bytes())
        if isinstance(document, dict) and "channel" in document:
            found.setdefault(document["channel"]["id"], []).extend(int(each["id"]) for each in document["messages"])
    return found


class Lab:
    """An archive that a first run made, and copies of it for the scenarios."""

    def __init__(self, folder: Path, discord: HostileDiscord) -> None:
        self.folder = folder
        self.discord = discord

    def command(self, name: str, *, bot: bool = False, patient: bool = False) -> Command:
        """Return a scrape of the archive in the scenario's own folder."""
        home = self.folder / name
        world = self.discord.world
        (home / "home").mkdir(parents=True, exist_ok=True)
        target = {
            "name": "demo",
            "output_dir": f"{home}/archives/demo",
            "guild_ids": [next(iter(world.guilds))],
            "discover": "always",
        }
        (home / "targets.json").write_text(json.dumps({"archive_root": f"{home}/archives", "targets": [target]}))
        return Command(
            words=["run", "scrape", "-v", "--skip-preflight", *(["--timeout", PATIENT] if patient else [])],
            folder=home,
            environment={
                "PATH": "/usr/bin:/bin",
                "HOME": f"{home}/home",
                "LANG": "C.UTF-8",
                "DCE_PLAY_STATE_DIR": f"{home}/state",
                "DCE_MIN_FREE_MB": "0",
                "DCE_CONFIG_FILE": f"{home}/targets.json",
                "DCE_DISCORD_API_BASE": self.discord.base_url(name),
                "DISCORD_TOKEN": world.bot_token if bot else world.user_token,
            },
            out=home / "out.txt",
        )

    def copy(self, name: str) -> None:
        """Give a scenario the archive of the first run, as if it had always been there."""
        first, home = self.folder / "first", self.folder / name
        shutil.copytree(first / "archives", home / "archives")
        for path in (home / "archives").rglob("channel-map.json"):
            path.write_text(path.read_text().replace(f"{first}/", f"{home}/"))


def flaws(scenario: Scenario, ended: Ended, home: Path, before: dict[str, list[int]], world: World) -> Iterator[str]:
    """Yield what is wrong with a run's end."""
    said = (home / "out.txt").read_text(errors="replace")
    if ended.code is None:
        yield f"it did not end within {LIMIT_S:g} s"
    elif ended.code not in FORESEEN or "Traceback" in said:
        yield "it fell over"
    if world.user_token in said or world.bot_token in said:
        yield "the token is shown"
    if scenario.end is End.WHOLE and ended.code != 0:
        yield "it could have been whole"
    if scenario.end is End.TOLD and ended.code == 0:
        yield "exit 0, though what was said cannot be believed"
    try:
        after = archived(home / "archives")
    except ValueError as error:
        yield f"a channel file is broken: {error}"
        return
    yield from losses(before, after, truth(world))
    for channel_id, ids in truth(world).items() if ended.code == 0 else ():
        told = scenario.may_skip and f"SKIPPED  channel {channel_id}" in said
        if not ids <= set(after.get(channel_id, [])) and not told:
            yield f"exit 0 without the messages of {channel_id}"


def losses(before: dict[str, list[int]], after: dict[str, list[int]], honest: dict[str, set[int]]) -> Iterator[str]:
    """Yield what an archive has lost, and what it has that it should not."""
    for channel_id, ids in before.items():
        if after.get(channel_id, [])[: len(ids)] != ids:
            yield f"channel {channel_id} has lost messages"
    for channel_id, ids in after.items():
        if ids != sorted(set(ids)):
            yield f"channel {channel_id} is not in order, or has messages twice"
        if not set(ids) <= honest.get(channel_id, set()):
            yield f"channel {channel_id} has messages that are not its own"


def judge(folder: Path, scenarios: Iterable[Scenario]) -> tuple[int, dict[str, list[str]]]:
    """Run the scenarios; return how many there were, and the flaws of those that did not hold."""
    world = build_world(1, size=Size(channels=1, messages=12))
    numbered = {f"s{number:03}": scenario for number, scenario in enumerate(scenarios)}
    with running_hostile_discord(world) as discord:
        lab = Lab(folder, discord)
        discord.add("first")
        (first,) = run_all([lab.command("first")], at_once=1, limit_s=LIMIT_S)
        assert first.code == 0, (folder / "first" / "out.txt").read_text()
        before = archived(folder / "first" / "archives")
        assert before == {channel_id: sorted(ids) for channel_id, ids in truth(world).items()}
        grown(world)
        commands = []
        for name, scenario in numbered.items():
            lab.copy(name)
            discord.add(name, *scenario.hostilities)
            commands.append(lab.command(name, bot=scenario.bot, patient=scenario.patient))
        results = run_all(commands, at_once=AT_ONCE, limit_s=LIMIT_S)
        wrong: dict[str, list[str]] = {}
        for (name, scenario), ended in zip(numbered.items(), results, strict=True):
            found = list(flaws(scenario, ended, folder / name, before, world))
            if not discord.met(name):
                found.append("the hostile answer was never asked for")
            if found:
                tail = (folder / name / "out.txt").read_text(errors="replace")[-600:]
                wrong[scenario.name] = [*found, f"exit {ended.code} after {ended.seconds:.0f} s", tail]
    spent = sum(each.processor_s for each in results)
    print(f"\n{len(results)} hostile servers tried, {len(results) - len(wrong)} held; {spent:.0f} s of processor time")
    return len(results), wrong


@pytest.mark.slow
@pytest.mark.timeout(900)
@pytest.mark.contract("F-L1", "F-L2", "F-L3", "F-L5", "F-L12", "F-B3", "F-B7")
def test_a_run_against_a_hostile_server_is_whole_or_says_that_it_is_not(tmp_path: Path) -> None:
    tried, wrong = judge(tmp_path, [each for each in SCENARIOS if not each.slow])
    assert tried >= 100
    assert wrong == {}


@pytest.mark.soak
@pytest.mark.contract("F-L1", "F-L2", "F-L12", "F-B3")
def test_so_is_one_against_every_other(tmp_path: Path) -> None:
    _, wrong = judge(tmp_path, [each for each in SCENARIOS if each.slow])
    assert wrong == {}
