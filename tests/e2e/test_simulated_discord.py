"""Our own exporter against the simulated Discord, over real HTTP: everything is exported, whatever goes wrong."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from dce_play.discord.exporters.discord_api.exporter import DiscordApiExporter
from dce_play.discord.exporters.discord_api.rest.client import PATIENCE_S
from dce_play.discord.exporters.protocol import ChannelSkipped, Completeness, ExportFailed, ExportOutcome, ExportRequest
from dce_play.discord.simulator.faults import Dropped, Fault, Faults, Garbage, RateLimited, Status, Truncated
from dce_play.discord.simulator.limits import RateLimits
from dce_play.discord.simulator.server import Simulator, running_simulator
from dce_play.discord.simulator.world import Access, Channel, Kind, World
from dce_play.discord.simulator.worlds import Size, build_world, rehearsal_world
from dce_play.snowflake import ChannelId, MessageId
from tests.support.fakes import FakeClock

pytestmark = pytest.mark.contract("R-15.06", "R-18.01")


@contextmanager
def exporter_of(simulator: Simulator, *, token: str | None = None) -> Iterator[DiscordApiExporter]:
    exporter = DiscordApiExporter(simulator.base_url, token or simulator.token, clock=FakeClock())
    try:
        yield exporter
    finally:
        exporter.close()


def export(
    exporter: DiscordApiExporter, channel_id: ChannelId, output: Path, after: MessageId | None = None
) -> ExportOutcome:
    request = ExportRequest(channel_id=channel_id, output=output, after=after)
    return exporter.export(request, on_progress=lambda _: None, cancelled=lambda: False)


def messages(path: Path) -> list[dict[str, Any]]:
    found = json.loads(path.read_bytes())["messages"]
    assert isinstance(found, list)
    return found


def ids(world: World, channel: Channel) -> list[str]:
    timeline = world.timeline(channel.channel_id)
    return [timeline.id_at(index) for index in range(timeline.count)]


def readable(world: World) -> list[Channel]:
    silent = {Kind.CATEGORY, Kind.FORUM, Kind.MEDIA}
    return [each for each in world.channels() if each.access is Access.READ and each.kind not in silent]


@pytest.mark.contract("R-18.05", "R-18.06")
@pytest.mark.parametrize("bot", [False, True])
def test_every_channel_of_a_rehearsal_is_listed_and_exported_whole(tmp_path: Path, *, bot: bool) -> None:
    world = rehearsal_world(1)
    with (
        running_simulator(world) as simulator,
        exporter_of(simulator, token=world.bot_token if bot else world.user_token) as exporter,
    ):
        listed = [
            channel
            for guild in exporter.guilds()
            for channel in exporter.channels(guild.guild_id, threads="all", voice=True)
        ]
        listed += exporter.direct_messages()
        exported = set()
        for channel in listed:
            output = tmp_path / f"{channel.channel_id}.json"
            try:
                outcome = export(exporter, channel.channel_id, output)
            except ChannelSkipped:
                continue
            assert outcome.completeness is Completeness.COMPLETE
            exported.add(channel.channel_id)
    expected = [each for each in readable(world) if not bot or each.guild_id is not None]
    assert exported == {each.channel_id for each in expected}
    for each in expected:
        assert [message["id"] for message in messages(tmp_path / f"{each.channel_id}.json")] == ids(world, each)


@pytest.mark.contract("R-18.02")
def test_a_second_pass_finds_what_grew_and_only_that(tmp_path: Path) -> None:
    world = rehearsal_world(2)
    with running_simulator(world) as simulator, exporter_of(simulator) as exporter:
        before = {each.channel_id: ids(world, each) for each in readable(world)}
        simulator.grow(12)
        found = 0
        for each in readable(world):
            last = MessageId(before[each.channel_id][-1]) if before[each.channel_id] else None
            output = tmp_path / f"{each.channel_id}.json"
            outcome = export(exporter, each.channel_id, output, last)
            assert [message["id"] for message in messages(output)] == ids(world, each)[len(before[each.channel_id]) :]
            found += outcome.message_count
    assert found == 12


@pytest.mark.contract("R-18.03")
@pytest.mark.parametrize("seed", range(3))
def test_trouble_on_the_way_changes_nothing_in_the_export(tmp_path: Path, seed: int) -> None:
    world = build_world(seed, size=Size(channels=1, messages=250))
    channel = next(world.channels()).channel_id
    troubles = (
        Status(status=500),
        Status(status=502),
        Status(status=429, headers=(("Retry-After", "1"),)),
        RateLimited(retry_after_s=0.3),
        RateLimited(retry_after_s=0.3, header="1", everywhere=True),
        Dropped(),
        Truncated(),
        Truncated(share=0.999),
        Garbage(),
    )
    faults = Faults(random_share=0.2, random_troubles=troubles, seed=seed)
    with running_simulator(world) as simulator, exporter_of(simulator) as exporter:
        export(exporter, channel, tmp_path / "calm.json")
    with running_simulator(world, faults=faults) as simulator, exporter_of(simulator) as exporter:
        export(exporter, channel, tmp_path / "rough.json")
        assert {request.status for request in simulator.requests} - {200, 404}
    assert messages(tmp_path / "rough.json") == messages(tmp_path / "calm.json")


@pytest.mark.contract("R-18.03")
def test_a_server_that_fails_for_ever_is_waited_for_once_and_the_next_export_goes_on(tmp_path: Path) -> None:
    world = build_world(6, size=Size(channels=3, messages=250))
    first, *others = list(world.channels())
    clock = FakeClock()
    path = f"/channels/{first.channel_id}/messages*"
    with running_simulator(world) as simulator:
        simulator.play(Faults(scripted=(Fault(trouble=Status(status=503), path=path, skip=3, times=None),)))
        exporter = DiscordApiExporter(simulator.base_url, simulator.token, clock=clock)
        with pytest.raises(ExportFailed, match="HTTP 503"):
            export(exporter, first.channel_id, tmp_path / "partial.json")
        kept = [
            message["id"] for message in json.loads((tmp_path / "partial.json").read_text() + "\n  ]\n}")["messages"]
        ]
        assert 0 < len(kept) < 250
        assert clock.monotonic() < PATIENCE_S

        simulator.play(Faults(scripted=(Fault(trouble=Status(status=503), times=None),)))
        began, asked = clock.monotonic(), len(simulator.requests)
        for each in others:
            with pytest.raises(ExportFailed, match="503"):
                export(exporter, each.channel_id, tmp_path / f"{each.channel_id}.json")
        assert clock.monotonic() == began  # one try each, until somebody answers
        assert len(simulator.requests) - asked == len(others)

        simulator.play(Faults())
        export(exporter, first.channel_id, tmp_path / "rest.json", MessageId(kept[-1]))
        exporter.close()
    assert kept + [message["id"] for message in messages(tmp_path / "rest.json")] == ids(world, first)


@pytest.mark.contract("R-18.01", "R-18.02")
def test_messages_posted_during_an_export_come_with_the_next_one_and_none_is_lost(tmp_path: Path) -> None:
    world = build_world(4, size=Size(channels=1, messages=230))
    channel = next(world.channels())
    with running_simulator(world, faults=Faults(live_messages=3)) as simulator, exporter_of(simulator) as exporter:
        export(exporter, channel.channel_id, tmp_path / "first.json")
        first = [message["id"] for message in messages(tmp_path / "first.json")]
        simulator.play(Faults())
        export(exporter, channel.channel_id, tmp_path / "second.json", MessageId(first[-1]))
    second = [message["id"] for message in messages(tmp_path / "second.json")]
    assert len(second) > 0
    assert first + second == ids(world, channel)


@pytest.mark.contract("R-18.03")
def test_a_client_that_heeds_the_limits_meets_no_429(tmp_path: Path) -> None:
    world = build_world(5, size=Size(channels=1, messages=500))
    channel = next(world.channels()).channel_id
    clock = FakeClock()
    with running_simulator(world, limits=RateLimits(per_bucket=2, window_s=5.0), clock=clock) as simulator:
        exporter = DiscordApiExporter(simulator.base_url, simulator.token, clock=clock)
        export(exporter, channel, tmp_path / "export.json")
        exporter.close()
        assert {request.status for request in simulator.requests} <= {200, 404}
    assert len(messages(tmp_path / "export.json")) == 500
