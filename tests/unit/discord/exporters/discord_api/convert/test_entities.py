"""Tests of users, members, roles, channels and guilds."""

from typing import Any

import pytest

from dce_play.discord.exporters.discord_api.convert.entities import (
    parse_channel,
    parse_guild,
    parse_member,
    parse_role,
    parse_user,
)
from dce_play.snowflake import GuildId

CDN = "https://cdn.discordapp.com"


@pytest.mark.parametrize(
    ("source", "discriminator", "avatar"),
    [
        ({"id": "335249045192704000", "discriminator": "0"}, "0000", "embed/avatars/4.png"),
        ({"id": "335249045192704000"}, "0000", "embed/avatars/4.png"),
        ({"id": "1090223760998400000", "discriminator": "0000"}, "0000", "embed/avatars/0.png"),
        ({"id": "1", "discriminator": "1234"}, "1234", "embed/avatars/4.png"),
        ({"id": "1", "discriminator": "42", "avatar": "abc"}, "0042", "avatars/1/abc.png?size=512"),
        ({"id": "1", "avatar": "a_bc"}, "0000", "avatars/1/a_bc.gif?size=512"),
    ],
)
@pytest.mark.contract("R-16.01")
def test_users_have_four_digits_and_an_avatar(source: dict[str, Any], discriminator: str, avatar: str) -> None:
    user = parse_user(source | {"username": "ada"})

    assert (user.discriminator, user.avatar_url) == (discriminator, f"{CDN}/{avatar}")


def test_a_name_to_show_is_the_global_one_else_the_users() -> None:
    assert parse_user({"id": "1", "username": "ada", "global_name": "Ada"}).display_name == "Ada"
    assert parse_user({"id": "1", "username": "ada", "global_name": " "}).display_name == "ada"


def test_a_member_has_a_nickname_an_avatar_and_roles_of_its_guild() -> None:
    source = {"nick": "N", "avatar": "abc", "roles": ["2", "3"], "user": {"id": "1", "username": "ada"}}
    member = parse_member(source, GuildId("7"))

    assert member.display_name == "N"
    assert member.avatar_url == f"{CDN}/guilds/7/users/1/avatars/abc.png?size=512"
    assert member.role_ids == ("2", "3")


def test_black_is_no_colour_of_a_role() -> None:
    assert parse_role({"id": "1", "name": "r", "position": 0, "color": 0}).color is None
    assert parse_role({"id": "1", "name": "r", "position": 0, "color": 0xFF}).color == "#0000FF"


@pytest.mark.parametrize(
    ("number", "kind"),
    [(0, "GuildTextChat"), (5, "GuildNews"), (12, "GuildPrivateThread"), (15, "GuildForum"), (16, "16"), (99, "99")],
)
@pytest.mark.contract("R-16.04")
def test_a_channels_kind_has_a_name_or_is_its_number(number: int, kind: str) -> None:
    assert parse_channel({"id": "1", "type": number}).kind == kind


def test_a_channel_without_a_name_is_called_by_its_people_else_its_id() -> None:
    people = [{"id": "1", "username": "ada"}, {"id": "2", "username": "bob", "global_name": "Bob"}]

    assert parse_channel({"id": "7", "type": 3, "recipients": people}).name == "ada, Bob"
    assert parse_channel({"id": "7", "type": 3}).name == "7"


def test_a_guild_without_an_icon_has_the_placeholder() -> None:
    assert parse_guild({"id": "1", "name": "g", "icon": None}).icon_url == f"{CDN}/embed/avatars/0.png"
    assert parse_guild({"id": "1", "name": "g", "icon": "a_b"}).icon_url == f"{CDN}/icons/1/a_b.gif?size=512"
