from dataclasses import replace
from pathlib import Path

import pytest

from dce_play.discord.exporters.protocol import ChannelListing, GuildListing
from dce_play.discord.scrape.channels import NoChannels, choose_channels, known_channels
from dce_play.discord.targets.model import Target, TargetKind
from dce_play.errors import UsageError
from dce_play.snowflake import ChannelId, GuildId
from tests.support.canned_exporter import CannedExporter

A, B, C = (ChannelId(str(100000000000000000 + number)) for number in range(3))
GUILD, OTHER = GuildId("200000000000000000"), GuildId("300000000000000000")


def target(**more: object) -> Target:
    return Target(name="demo", output_dir=Path("/a/demo"), **more)  # type: ignore[arg-type]  # test data


def listing(channel_id: ChannelId) -> ChannelListing:
    return ChannelListing(channel_id=channel_id, guild_id=GUILD, name="room", kind="GuildTextChat")


@pytest.fixture
def exporter() -> CannedExporter:
    return CannedExporter(
        listings=[listing(B), listing(A)], guild_listings=[GuildListing(guild_id=GUILD, name="The Lab")]
    )


@pytest.mark.contract("R-3.01", "R-4.10")
@pytest.mark.parametrize(
    ("chosen", "channel_files", "channels", "asked"),
    [
        (target(channel_ids=(C, A), guild_ids=(GUILD,)), [B], [A, C], []),
        (target(guild_ids=(GUILD,)), [C], [C], []),
        (target(guild_ids=(GUILD,)), [], [A, B], [f"channels {GUILD} all False"]),
        (target(guild_name_patterns=("lab",)), [], [A, B], ["guilds", f"channels {GUILD} all False"]),
        (target(kind=TargetKind.DMS), [C], [A, B], ["dms"]),
    ],
)
def test_the_first_rule_that_yields_something_wins(
    exporter: CannedExporter,
    chosen: Target,
    channel_files: list[ChannelId],
    channels: list[ChannelId],
    asked: list[str],
) -> None:
    choice = choose_channels(chosen, channel_files=channel_files, exporter=exporter)
    assert [each.channel_id for each in choice.channels] == channels
    assert exporter.listed == asked


@pytest.mark.contract("R-1.10", "D-05")
def test_a_targets_own_false_beats_the_default(exporter: CannedExporter) -> None:
    choose_channels(
        target(guild_ids=(GUILD,), include_voice_channels=False, include_threads="none"),
        channel_files=[],
        exporter=exporter,
    )
    assert exporter.listed == [f"channels {GUILD} none False"]


@pytest.mark.contract("R-3.26", "R-8.02")
def test_what_only_the_exporter_could_tell_stays_unknown_without_a_request() -> None:
    assert known_channels(target(guild_ids=(GUILD,)), channel_files=[]) is None
    known = known_channels(target(guild_ids=(GUILD,)), channel_files=[A])
    assert known is not None
    assert known.scope == "archive-seeded (1 channel file(s))"


@pytest.mark.contract("R-3.03", "D-28")
def test_a_target_without_channels_is_an_error(exporter: CannedExporter) -> None:
    exporter.listings = []
    with pytest.raises(NoChannels, match="resolved no channels"):
        choose_channels(target(guild_ids=(GUILD,)), channel_files=[], exporter=exporter)


def test_a_channel_outside_the_target_is_refused(exporter: CannedExporter) -> None:
    with pytest.raises(UsageError, match="outside the selected target's allowed scope"):
        choose_channels(target(guild_ids=(GUILD,)), channel_files=[A], only=(C,), exporter=exporter)


def test_a_guild_outside_the_target_is_refused_and_a_seeded_target_takes_none(exporter: CannedExporter) -> None:
    with pytest.raises(UsageError, match=f"Guild override '{OTHER}'"):
        choose_channels(target(guild_ids=(GUILD,)), channel_files=[], guilds=(OTHER,), exporter=exporter)
    with pytest.raises(UsageError, match="Archive-seeded target"):
        choose_channels(target(guild_ids=(GUILD,)), channel_files=[A], guilds=(GUILD,), exporter=exporter)


@pytest.mark.contract("F-L6")
def test_what_is_not_wanted_is_left_out_with_its_threads(exporter: CannedExporter) -> None:
    thread = ChannelListing(
        channel_id=ChannelId("100000000000000009"),
        guild_id=GUILD,
        name="bots / a thread",
        kind="GuildPublicThread",
        parent_id=A,
    )
    rooms = ((A, "Lab / bots"), (B, "Lab / general"), (C, "Old / attic"))
    exporter.listings = [replace(listing(channel_id), name=name) for channel_id, name in rooms] + [thread]
    wanted = target(guild_ids=(GUILD,), exclude_channel_ids=(A,), exclude_channel_patterns=("Old / *",))
    choice = choose_channels(wanted, channel_files=[], exporter=exporter)
    assert [each.channel_id for each in choice.channels] == [B]
