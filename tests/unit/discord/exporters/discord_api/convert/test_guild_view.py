"""Tests of what an export knows of its guild."""

import pytest

from dce_play.discord.exporters.discord_api.convert.entities import Guild, Member, Role, User, parse_user
from dce_play.discord.exporters.discord_api.convert.guild_view import GuildCache, GuildView, MemberCache
from dce_play.discord.exporters.discord_api.rest.client import DiscordClient
from dce_play.discord.exporters.discord_api.rest.watch import Watch
from dce_play.snowflake import GuildId
from tests.support.fakes import FakeClock
from tests.support.scripted_discord import TOKEN, ScriptedDiscord


def user(number: int) -> User:
    return parse_user({"id": str(number), "username": f"u{number}"})


@pytest.mark.contract("R-18.07")
def test_the_cache_keeps_the_members_used_last() -> None:
    cache = MemberCache(kept=3)
    for number in range(3):
        cache.put(str(number), Member(user=user(number)))
    cache.get("0")
    cache.put("3", None)

    assert [str(number) in cache for number in range(4)] == [True, False, True, True]


def test_roles_stand_highest_first_and_unknown_ones_are_left_out(discord: ScriptedDiscord) -> None:
    discord.on(
        "guilds/222/members/1",
        {"nick": None, "roles": ["10", "11", "12", "99"], "user": {"id": "1", "username": "u1"}},
    )
    roles = {
        role_id: Role(id=role_id, name=role_id, position=position, color=None)
        for role_id, position in (("10", 1), ("11", 5), ("12", 1))
    }
    client = DiscordClient(discord.base_url, TOKEN, clock=FakeClock())
    guild = Guild(id=GuildId("222"), name="g", icon_url="")
    view = GuildView(client, GuildCache(guild, {}, roles), Watch(FakeClock()))

    assert view.roles("1") == []
    view.meet(user(1))
    client.close()

    assert [role.id for role in view.roles("1")] == ["11", "10", "12"]


def test_who_has_left_is_shown_as_the_user_alone(discord: ScriptedDiscord) -> None:
    client = DiscordClient(discord.base_url, TOKEN, clock=FakeClock())
    guild = Guild(id=GuildId("222"), name="g", icon_url="")
    view = GuildView(client, GuildCache(guild, {}, {}), Watch(FakeClock()))

    view.meet(user(7))
    view.meet(user(7))
    client.close()

    assert view.member("7") == Member(user=user(7))
    assert discord.paths.count("guilds/222/members/7") == 1
