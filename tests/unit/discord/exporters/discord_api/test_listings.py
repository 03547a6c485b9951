"""Tests of guilds, channels, threads and direct messages."""

import itertools
from datetime import datetime
from typing import Any

import pytest

from dce_play.discord.exporters.discord_api.rest.answers import UnexpectedAnswer
from dce_play.discord.exporters.discord_api.rest.client import DOUBTS, RequestGivenUp, RequestRefused
from dce_play.discord.exporters.discord_api.rest.pages import EndlessListing
from dce_play.snowflake import GuildId
from tests.support.exporting import opened
from tests.support.fakes import FakeClock
from tests.support.scripted_discord import Reply, ScriptedDiscord

GUILD = GuildId("222")


def channel(number: int, kind: int = 0, **more: Any) -> dict[str, Any]:
    return {
        "id": str(number),
        "type": kind,
        "guild_id": GUILD,
        "name": f"c{number}",
        "position": number,
        "last_message_id": "1",
    } | more


def thread(number: int, parent: int, **more: Any) -> dict[str, Any]:
    return channel(number, 11, name=f"t{number}", parent_id=str(parent)) | more


def listed(discord: ScriptedDiscord, *, threads: str = "none", voice: bool = True) -> list[str]:
    with opened(discord) as exporter:
        return [found.channel_id for found in exporter.channels(GUILD, threads=threads, voice=voice)]


def as_bot(discord: ScriptedDiscord) -> None:
    discord.on("users/@me", Reply(status=401), {"id": "1"})


@pytest.mark.contract("R-18.01")
def test_guilds_are_listed_to_the_last_page_and_by_name(discord: ScriptedDiscord) -> None:
    every = [{"id": str(number), "name": f"guild {999 - number}"} for number in range(1, 251)]
    discord.on(
        "users/@me/guilds",
        lambda query: [guild for guild in every if int(guild["id"]) > int(query["after"])][: int(query["limit"])],
    )

    with opened(discord) as exporter:
        found = exporter.guilds()

    assert [guild.guild_id for guild in found] == [str(number) for number in range(250, 0, -1)]


def test_a_server_that_ignores_after_gives_each_guild_once(discord: ScriptedDiscord) -> None:
    discord.on("users/@me/guilds", [{"id": str(number), "name": f"g{number}"} for number in range(1, 4)])

    with opened(discord) as exporter:
        assert [guild.name for guild in exporter.guilds()] == ["g1", "g2", "g3"]

    assert discord.paths.count("users/@me/guilds") == 2


def test_channels_stand_by_category_and_name_without_the_categories(discord: ScriptedDiscord) -> None:
    discord.on(
        "guilds/222/channels",
        [
            channel(1, 4, name="Late", position=5),
            channel(2, 4, name="Early", position=1),
            channel(3, name="b", parent_id="1"),
            channel(4, name="z", parent_id="2"),
            channel(5, name="A", parent_id="2"),
            channel(6, name="alone"),
        ],
    )

    with opened(discord) as exporter:
        found = exporter.channels(GUILD, threads="none", voice=True)

    assert [listing.name for listing in found] == ["alone", "Early / A", "Early / z", "Late / b"]


@pytest.mark.contract("R-3.02")
def test_forums_are_listed_but_cannot_be_exported(discord: ScriptedDiscord) -> None:
    discord.on("guilds/222/channels", [channel(1), channel(2, 15), channel(3, 16)])

    with opened(discord) as exporter:
        found = exporter.channels(GUILD, threads="none", voice=True)

    assert [(listing.kind, listing.exportable) for listing in found] == [
        ("GuildTextChat", True),
        ("GuildForum", False),
        ("16", False),
    ]


def test_voice_channels_are_listed_when_asked_for(discord: ScriptedDiscord) -> None:
    discord.on("guilds/222/channels", [channel(1), channel(2, 2), channel(3, 13)])

    assert listed(discord, voice=True) == ["1", "2", "3"]
    assert listed(discord, voice=False) == ["1"]


def test_a_name_cannot_break_a_line_or_steer_a_terminal(discord: ScriptedDiscord) -> None:
    discord.on("guilds/222/channels", [channel(1, name="a\x1b[31m\nb\u2028c \U0001f600")])

    with opened(discord) as exporter:
        assert exporter.channels(GUILD, threads="none", voice=True)[0].name == "a[31mbc \U0001f600"


@pytest.mark.contract("R-18.06")
def test_a_users_token_finds_threads_by_search_page_after_page(discord: ScriptedDiscord) -> None:
    active = [thread(100 + number, 1) for number in range(60)]
    archived = [thread(200 + number, 1) for number in range(30)] + active[:1]
    discord.on("guilds/222/channels", [channel(1)])
    discord.on(
        "channels/1/threads/search",
        lambda query: paged(archived if query["archived"] == "true" else active, int(query["offset"])),
    )

    assert listed(discord, threads="active") == ["1", *(found["id"] for found in active)]
    assert listed(discord, threads="all") == ["1", *(found["id"] for found in [*active, *archived[:-1]])]


def paged(threads: list[dict[str, Any]], offset: int) -> dict[str, Any]:
    return {"threads": threads[offset : offset + 25], "has_more": offset + 25 < len(threads)}


@pytest.mark.contract("R-18.06")
def test_a_bots_token_finds_active_and_archived_threads(discord: ScriptedDiscord) -> None:
    as_bot(discord)
    discord.on("guilds/222/channels", [channel(1), channel(2)])
    discord.on("guilds/222/threads/active", {"threads": [thread(100, 1)]})
    discord.on("channels/1/threads/archived/public", archive_page)
    discord.on("channels/1/threads/archived/private", {"threads": [thread(300, 1)], "has_more": False})
    discord.on("channels/2/threads/archived/public", Reply(status=403))
    discord.on("channels/2/threads/archived/private", Reply(status=404))

    assert listed(discord, threads="all") == ["1", "100", "200", "201", "202", "300", "2"]


def archive_page(query: dict[str, str]) -> dict[str, Any]:
    every = [
        thread(200 + number, 1, thread_metadata={"archive_timestamp": stamp})
        for number, stamp in enumerate(("2024-03-03T00:00:00Z", "2024-02-02T00:00:00Z", "2024-01-01T00:00:00Z"))
    ]
    return archived_before(every, query, page=2)


def archived_before(every: list[dict[str, Any]], query: dict[str, str], *, page: int) -> dict[str, Any]:
    """Return a page as Discord does: the last archived first, strictly before the time that is asked for."""
    before = datetime.fromisoformat(query.get("before", "9999-01-01T00:00:00Z"))
    found = [each for each in every if datetime.fromisoformat(each["thread_metadata"]["archive_timestamp"]) < before]
    return {"threads": found[:page], "has_more": len(found) > page}


@pytest.mark.contract("F-L1")
def test_threads_archived_in_one_instant_at_a_pages_edge_are_all_found(discord: ScriptedDiscord) -> None:
    as_bot(discord)
    stamps = [f"2024-01-01T00:00:{59 - number // 30:02}.123000+00:00" for number in range(120)]
    every = [thread(1000 + n, 1, thread_metadata={"archive_timestamp": stamp}) for n, stamp in enumerate(stamps)]
    discord.on("guilds/222/channels", [channel(1)])
    discord.on("guilds/222/threads/active", {"threads": []})
    discord.on("channels/1/threads/archived/public", lambda query: archived_before(every, query, page=50))
    discord.on("channels/1/threads/archived/private", {"threads": [], "has_more": False})

    assert listed(discord, threads="all") == ["1", *(each["id"] for each in every)]


@pytest.mark.contract("F-L1", "F-L12")
def test_more_threads_of_one_instant_than_a_page_takes_are_a_failure_not_a_gap(discord: ScriptedDiscord) -> None:
    as_bot(discord)
    every = [
        thread(1000 + n, 1, thread_metadata={"archive_timestamp": "2024-01-01T00:00:00+00:00"}) for n in range(120)
    ]
    discord.on("guilds/222/channels", [channel(1)])
    discord.on("guilds/222/threads/active", {"threads": []})
    discord.on("channels/1/threads/archived/public", lambda query: archived_before(every, query, page=50))

    with pytest.raises(EndlessListing):
        listed(discord, threads="all")


NOT_YET = {"message": "index not yet available", "code": 110000, "documents_indexed": 0, "retry_after": 2}


@pytest.mark.parametrize("status", [200, 202])
@pytest.mark.contract("F-L1")
def test_a_search_that_is_not_ready_is_waited_for(discord: ScriptedDiscord, clock: FakeClock, status: int) -> None:
    discord.on("guilds/222/channels", [channel(1, 15)])
    discord.on(
        "channels/1/threads/search",
        Reply(status=status, body=NOT_YET),
        {"threads": [thread(100, 1)], "has_more": False},
    )

    with opened(discord, clock) as exporter:
        found = exporter.channels(GUILD, threads="active", voice=True)

    assert [each.channel_id for each in found] == ["1", "100"]
    assert clock.monotonic() == pytest.approx(3)


@pytest.mark.contract("F-L1")
def test_a_search_that_never_gets_ready_fails_the_listing(discord: ScriptedDiscord) -> None:
    discord.on("guilds/222/channels", [channel(1, 15)])
    discord.on("channels/1/threads/search", Reply(status=202, body=NOT_YET))

    with pytest.raises(RequestGivenUp, match="code 110000"):
        listed(discord, threads="active")


WRONG_SHAPES: dict[str, Any] = {
    "no list": {"has_more": False},
    "a list that is null": {"threads": None, "has_more": False},
    "an object in its place": {"threads": {}, "has_more": False},
    "a thread without an id": {"threads": [{"type": 11}], "has_more": False},
    "a thread that is a text": {"threads": ["100"], "has_more": False},
    "has_more that is a text": {"threads": [], "has_more": "no"},
    "an array": [],
    "a greeting": {"hello": "world"},
    "null": Reply(raw=b"null"),
}


@pytest.mark.parametrize("name", WRONG_SHAPES)
@pytest.mark.parametrize("bot", [False, True])
@pytest.mark.contract("F-L1")
def test_an_answer_of_another_shape_is_never_an_empty_list(discord: ScriptedDiscord, name: str, *, bot: bool) -> None:
    discord.on("guilds/222/channels", [channel(1)])
    discord.on("channels/1/threads/search", WRONG_SHAPES[name])
    discord.on("guilds/222/threads/active", WRONG_SHAPES[name])
    if bot:
        as_bot(discord)

    with pytest.raises(UnexpectedAnswer, match="threads/"):
        listed(discord, threads="active")

    asked = [path for path in discord.paths if "threads" in path]
    assert len(asked) == 1 + DOUBTS


@pytest.mark.contract("F-L1")
def test_a_wrong_shape_that_was_one_proxys_hiccup_is_got_over(discord: ScriptedDiscord) -> None:
    discord.on("guilds/222/channels", {"status": "starting"}, [channel(1)])

    assert listed(discord) == ["1"]


@pytest.mark.contract("F-L1")
def test_where_has_more_is_not_told_only_an_empty_page_is_the_end(discord: ScriptedDiscord) -> None:
    every = [thread(100 + number, 1) for number in range(60)]
    discord.on("guilds/222/channels", [channel(1)])
    discord.on("channels/1/threads/search", lambda query: {"threads": every[int(query["offset"]) :][:25]})

    assert listed(discord, threads="active") == ["1", *(each["id"] for each in every)]


@pytest.mark.contract("R-18.06", "R-3.02")
def test_the_posts_of_a_forum_are_found(discord: ScriptedDiscord) -> None:
    discord.on("guilds/222/channels", [channel(1, 15)])
    discord.on("channels/1/threads/search", {"threads": [thread(100, 1)], "has_more": False})

    with opened(discord) as exporter:
        found = exporter.channels(GUILD, threads="active", voice=True)

    assert [(listing.name, listing.kind, listing.exportable) for listing in found] == [
        ("c1", "GuildForum", False),
        ("c1 / t100", "GuildPublicThread", True),
    ]


@pytest.mark.contract("R-18.06")
def test_threads_are_not_looked_for_where_there_are_none(discord: ScriptedDiscord) -> None:
    discord.on("guilds/222/channels", [channel(1, 4), channel(2, 2), channel(3, 13)])

    assert listed(discord, threads="all") == ["2", "3"]
    assert discord.paths == ["users/@me", "guilds/222/channels"]


@pytest.mark.parametrize("told", [{"last_message_id": None}, {}])
@pytest.mark.contract("F-L4")
def test_threads_are_looked_for_whatever_is_said_of_a_last_message(
    discord: ScriptedDiscord, told: dict[str, Any]
) -> None:
    bare = {"id": "1", "type": 0, "guild_id": GUILD, "name": "c1"}
    discord.on("guilds/222/channels", [bare | told])
    discord.on("channels/1/threads/search", {"threads": [thread(100, 1)], "has_more": False})

    assert listed(discord, threads="active") == ["1", "100"]


SAME_PAGE = {
    "threads": [thread(100, 1, thread_metadata={"archive_timestamp": "2024-01-01T00:00:00Z"})],
    "has_more": True,
}


@pytest.mark.parametrize("answer", [SAME_PAGE, {"threads": [thread(100, 1)], "has_more": True}])
@pytest.mark.parametrize("bot", [False, True])
@pytest.mark.contract("F-L12")
def test_a_listing_of_threads_that_does_not_get_on_is_a_failure(
    discord: ScriptedDiscord, answer: dict[str, Any], *, bot: bool
) -> None:
    discord.on("guilds/222/channels", [channel(1)])
    for path in ("threads/search", "threads/archived/public", "threads/archived/private"):
        discord.on(f"channels/1/{path}", answer)
    discord.on("guilds/222/threads/active", {"threads": []})
    if bot:
        as_bot(discord)

    with pytest.raises(EndlessListing):
        listed(discord, threads="all")

    assert len(discord.requests) < 10


@pytest.mark.parametrize("bot", [False, True])
@pytest.mark.contract("F-L12")
def test_a_listing_whose_every_page_is_full_and_new_has_a_bound(discord: ScriptedDiscord, *, bot: bool) -> None:
    made = itertools.count(1000)

    def page(_: dict[str, str]) -> dict[str, Any]:
        metadata = {"archive_timestamp": "2024-01-01T00:00:00Z"}
        found = [thread(next(made), 1, thread_metadata=metadata) for _ in range(25)]
        return {"threads": found, "has_more": True, "total_results": 1}

    discord.on("guilds/222/channels", [channel(1)])
    discord.on("guilds/222/threads/active", {"threads": []})
    discord.on("channels/1/threads/search", page)
    discord.on("channels/1/threads/archived/public", {"threads": [], "has_more": False})
    discord.on("channels/1/threads/archived/private", page)
    if bot:
        as_bot(discord)

    with pytest.raises(EndlessListing):
        listed(discord, threads="all")

    assert len(discord.requests) < 12


def test_a_thread_whose_channel_is_not_listed_is_not_shown(discord: ScriptedDiscord) -> None:
    as_bot(discord)
    discord.on("guilds/222/channels", [channel(1), channel(2, 2)])
    discord.on("guilds/222/threads/active", {"threads": [thread(100, 2), thread(101, 9)]})

    assert listed(discord, threads="active", voice=False) == ["1"]


def test_a_guild_out_of_reach_is_an_error(discord: ScriptedDiscord) -> None:
    with pytest.raises(RequestRefused):
        listed(discord)


def test_direct_messages_stand_by_their_newest_message(discord: ScriptedDiscord) -> None:
    people = [{"id": "8", "username": "cy", "global_name": "Cy"}, {"id": "9", "username": "bob"}]
    discord.on(
        "users/@me/channels",
        [
            {"id": "1", "type": 1, "recipients": people[:1], "last_message_id": "5"},
            {"id": "2", "type": 3, "recipients": people, "last_message_id": "900"},
            {"id": "3", "type": 3, "name": "named", "recipients": people, "last_message_id": None},
        ],
    )

    with opened(discord) as exporter:
        found = exporter.direct_messages()

    assert [(listing.name, listing.kind, listing.guild_id) for listing in found] == [
        ("Cy, bob", "DirectGroupTextChat", "0"),
        ("Cy", "DirectTextChat", "0"),
        ("named", "DirectGroupTextChat", "0"),
    ]
