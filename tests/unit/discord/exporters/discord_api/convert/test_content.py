"""Tests of texts written out for reading."""

import time
from collections.abc import Iterator

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dce_play.discord.exporters.discord_api.convert.content import readable
from dce_play.discord.exporters.discord_api.convert.entities import Guild, Role, parse_channel
from dce_play.discord.exporters.discord_api.convert.guild_view import GuildCache, GuildView
from dce_play.discord.exporters.discord_api.rest.client import DiscordClient
from dce_play.discord.exporters.discord_api.rest.watch import Watch
from dce_play.snowflake import ChannelId, GuildId
from tests.support.fakes import FakeClock
from tests.support.scripted_discord import TOKEN, Reply, ScriptedDiscord


@pytest.fixture
def view(discord: ScriptedDiscord, clock: FakeClock) -> Iterator[GuildView]:
    discord.on("guilds/222/members/1", {"nick": "Nick", "roles": [], "user": {"id": "1", "username": "one"}})
    discord.on("users/2", {"id": "2", "username": "two", "global_name": "Two"})
    client = DiscordClient(discord.base_url, TOKEN, clock=clock)
    channels = [
        parse_channel({"id": "10", "type": 0, "name": "news"}),
        parse_channel({"id": "11", "type": 2, "name": "talk"}),
    ]
    guild = Guild(id=GuildId("222"), name="g", icon_url="")
    roles = {"20": Role(id="20", name="Admins", position=1, color=None)}
    yield GuildView(client, GuildCache(guild, {ChannelId(each.id): each for each in channels}, roles), Watch(clock))
    client.close()


@pytest.mark.parametrize(
    ("markdown", "text"),
    [
        ("plain **bold** :tada: \U0001f600", "plain **bold** :tada: \U0001f600"),
        ("a < b > c <b> <3", "a < b > c <b> <3"),
        ("<@1> <@!1>", "@Nick @Nick"),
        ("<@2>", "@Two"),
        ("<@3>", "@Unknown"),
        ("<@99999999999999999999999>", "@Unknown"),
        ("<#10> <#11> <#12>", "#news #talk [voice] #deleted-channel"),
        ("<@&20> <@&21>", "@Admins @deleted-role"),
        ("<:still:7><a:party:8>", ":still::party:"),
        ("@everyone and @here", "@everyone and @here"),
        ("`<@1>`", "`@Nick`"),
        ("<@1", "<@1"),
        ("<t:1704067200:F>", "Monday, 01 January 2024 00:00:00"),
        ("<t:1704067200:f>", "Monday, 01 January 2024 00:00"),
        ("<t:1704067200:D>", "Monday, 01 January 2024"),
        ("<t:1704067200:d>", "01/01/2024"),
        ("<t:1704110645:T> <t:1704110645:t>", "12:04:05 12:04"),
        ("<t:1704067200> <t:1704067200:R>", "01/01/2024 00:00 01/01/2024 00:00"),
        ("<t:-1:d>", "12/31/1969"),
        ("<t:1704067200:x>", "Invalid date"),
        ("<t:99999999999999999:F>", "Invalid date"),
        (f"<t:{'9' * 5000}>", "Invalid date"),
        ("<t:00000000001704067200:d>", "01/01/2024"),
        ("<t:000000000001704067200:d>", "Invalid date"),
        ("<t:\u0661\u0662>", "Invalid date"),
        ("<:x\ny:1><:a:b:2>", "<:x\ny:1>:a:b:"),
    ],
)
@pytest.mark.contract("R-16.01")
def test_marks_are_written_out_and_the_rest_stays(view: GuildView, markdown: str, text: str) -> None:
    assert readable(markdown, view) == text


@pytest.mark.contract("R-18.07")
def test_a_member_is_asked_for_once_also_one_who_is_gone(view: GuildView, discord: ScriptedDiscord) -> None:
    readable("<@1> <@1> <@3> <@3>", view)
    readable("<@1> <@3>", view)

    assert discord.paths == ["users/@me", "guilds/222/members/1", "guilds/222/members/3", "users/3"]


@pytest.mark.contract("R-18.04")
def test_a_member_out_of_reach_is_unknown(view: GuildView, discord: ScriptedDiscord) -> None:
    discord.on("guilds/222/members/5", Reply(status=403))
    discord.on("users/5", Reply(status=403))

    assert readable("<@5>", view) == "@Unknown"


@pytest.mark.parametrize("piece", ["<:", "<a:x", "<:x:", "<@", "<@1", "<t:", "<t:1", "<#", "@every", ":1", "<:x:1"])
@pytest.mark.contract("F-B4")
def test_any_text_is_written_out_in_time_in_proportion(view: GuildView, piece: str) -> None:
    started = time.process_time()
    readable(piece * 100_000, view)
    assert time.process_time() - started < 5


@given(st.text(st.sampled_from("<>@#&!:ta0123456789-RF x")))
def test_any_text_without_ids_is_taken(text: str) -> None:
    channels = {ChannelId("0"): parse_channel({"id": "0", "type": 0, "name": "zero"})}
    guild = Guild(id=GuildId("0"), name="g", icon_url="")
    client = DiscordClient("http://127.0.0.1:9", TOKEN, clock=FakeClock())
    view = GuildView(client, GuildCache(guild, channels, {}), Watch(FakeClock()))

    if "<@" not in text:
        readable(text, view)
    client.close()
