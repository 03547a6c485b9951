"""Tests of messages and embeds in DCE's form, beyond what the recordings show."""

from typing import Any

import pytest

from dce_play.discord.exporters.discord_api.convert.entities import DIRECT_MESSAGES
from dce_play.discord.exporters.discord_api.convert.guild_view import GuildCache, GuildView
from dce_play.discord.exporters.discord_api.convert.message import is_blank, message_object
from dce_play.discord.exporters.discord_api.rest.answers import UnexpectedAnswer
from dce_play.discord.exporters.discord_api.rest.client import DiscordClient
from dce_play.discord.exporters.discord_api.rest.watch import Watch
from tests.support.fakes import FakeClock
from tests.support.scripted_discord import TOKEN, message

ADA, BOB = {"id": "8", "username": "ada", "global_name": "Ada"}, {"id": "9", "username": "bob"}


def written(**changes: Any) -> dict[str, Any]:
    """Map a direct message, which needs no request."""
    client = DiscordClient("http://127.0.0.1:9", TOKEN, clock=FakeClock())
    view = GuildView(client, GuildCache(DIRECT_MESSAGES, {}, {}), Watch(FakeClock()))
    try:
        return message_object(message(5, **changes), view, lambda _id, _emoji, _count: iter(()))
    finally:
        client.close()


@pytest.mark.parametrize(
    ("number", "changes", "name", "content"),
    [
        (1, {"mentions": [ADA]}, "RecipientAdd", "Added Ada to the group."),
        (1, {}, "RecipientAdd", "Added a recipient."),
        (2, {"mentions": [ADA]}, "RecipientRemove", "Removed Ada from the group."),
        (2, {"mentions": [BOB]}, "RecipientRemove", "Left the group."),
        (2, {}, "RecipientRemove", "Removed a recipient."),
        (3, {}, "Call", "Started a call that lasted 0 minutes."),
        (4, {"content": "new name"}, "ChannelNameChange", "Changed the channel name: new name"),
        (4, {"content": ""}, "ChannelNameChange", "Changed the channel name."),
        (5, {}, "ChannelIconChange", "Changed the channel icon."),
        (6, {}, "ChannelPinnedMessage", "Pinned a message."),
        (7, {}, "GuildMemberJoin", "Joined the server."),
        (8, {"content": "3"}, "8", "3"),
        (18, {"content": "a thread"}, "ThreadCreated", "Started a thread."),
        (19, {"content": "yes"}, "Reply", "yes"),
        (46, {"content": "poll"}, "46", "poll"),
    ],
)
@pytest.mark.contract("R-16.01", "R-16.04")
def test_each_kind_has_its_name_and_sentence(number: int, changes: dict[str, Any], name: str, content: str) -> None:
    found = written(type=number, **changes)

    assert (found["type"], found["content"]) == (name, content)


@pytest.mark.parametrize(
    ("ended", "minutes"), [("00:00:29", "0"), ("00:00:30", "1"), ("00:02:29", "2"), ("18:00:00", "1,080")]
)
def test_a_call_lasts_full_minutes(ended: str, minutes: str) -> None:
    found = written(type=3, call={"ended_timestamp": f"2024-01-01T{ended}+00:00"})

    assert found["content"] == f"Started a call that lasted {minutes} minutes."
    assert found["callEndedTimestamp"] == f"2024-01-01T{ended}+00:00"


@pytest.mark.contract("R-16.01")
def test_optional_parts_are_absent_and_nulls_are_written() -> None:
    assert list(written()) == [
        "id", "type", "timestamp", "timestampEdited", "callEndedTimestamp", "isPinned", "content", "author",
        "attachments", "embeds", "stickers", "reactions", "mentions", "inlineEmojis",
    ]  # fmt: skip
    assert written(message_reference={})["reference"] == {"messageId": None, "channelId": None, "guildId": None}


@pytest.mark.contract("R-16.04")
def test_an_unknown_sticker_format_is_its_number() -> None:
    found = written(sticker_items=[{"id": "1", "name": "s", "format_type": 9}])

    assert found["stickers"][0]["format"] == "9"


@pytest.mark.contract("R-16.01")
def test_an_embed_with_nothing_has_only_what_is_always_there() -> None:
    assert written(embeds=[{}])["embeds"] == [
        {"title": "", "url": None, "timestamp": None, "description": "", "images": [], "fields": [], "inlineEmojis": []}
    ]


@pytest.mark.contract("R-16.01")
def test_an_embeds_media_come_from_the_proxy_where_there_is_one() -> None:
    embed = {
        "author": {"name": "a", "icon_url": "https://e/i", "proxy_icon_url": "https://p/i"},
        "footer": {"text": "f", "icon_url": " "},
        "image": {"url": "https://e/m", "proxy_url": "https://p/m", "width": 1, "height": 2},
        "video": {"width": 3, "height": None},
        "color": 0,
    }

    found = written(embeds=[embed])["embeds"][0]

    assert found["author"] == {"name": "a", "url": None, "iconUrl": "https://p/i"}
    assert found["footer"] == {"text": "f"}
    assert found["image"] == found["images"][0] == {"url": "https://p/m", "width": 1, "height": 2}
    assert found["video"] == {"width": 3, "height": None}
    assert found["color"] == "#000000"


def images_of(*embeds: dict[str, Any]) -> list[int]:
    return [len(embed["images"]) for embed in written(embeds=list(embeds))["embeds"]]


@pytest.mark.contract("R-16.01")
def test_the_images_of_one_post_are_joined() -> None:
    post = {"url": "https://twitter.com/a/1", "description": "text", "image": {"url": "https://e/1"}}
    more = {"url": "https://twitter.com/a/1", "image": {"url": "https://e/2"}}

    assert images_of(post, more, more) == [3]
    assert images_of(post, more | {"url": "https://twitter.com/a/2"}) == [1, 1]
    assert images_of(post, more | {"description": "other"}) == [1, 1]
    assert images_of(post | {"url": "https://e.com"}, more | {"url": "https://e.com"}) == [1, 1]


@pytest.mark.parametrize(
    "changes",
    [
        {"id": None},
        {"id": "x"},
        {"type": "0"},
        {"author": None},
        {"author": {"id": "9"}},
        {"timestamp": None},
        {"timestamp": "soon"},
        {"mentions": ["none"]},
        {"attachments": [{"id": "1", "url": "u", "filename": "f", "size": "big"}]},
        {"reactions": [{"count": 1}]},
        {"embeds": [{"footer": {}}]},
        {"interaction": {"id": "1"}},
    ],
    ids=str,
)
def test_what_is_not_as_documented_is_told_so(changes: dict[str, Any]) -> None:
    with pytest.raises(UnexpectedAnswer):
        written(**changes)


@pytest.mark.contract("R-16.08", "R-16.07")
def test_ids_and_halves_of_characters_pass_unharmed() -> None:
    found = written(content="half \ud83d", message_reference={"message_id": "18446744073709551615"})

    assert found["reference"]["messageId"] == "18446744073709551615"
    assert found["content"] == "half \ud83d"


@pytest.mark.contract("R-18.11")
def test_a_message_with_anything_to_see_is_not_blank() -> None:
    assert is_blank({"content": " "})
    assert not is_blank({"content": "x"})
    assert not is_blank({"content": "", "attachments": [{}]})
    assert not is_blank({"content": "", "embeds": [{}]})
    assert not is_blank({"content": "", "sticker_items": [{}]})
