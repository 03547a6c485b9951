"""Tests of what the latest format has besides that of 2.46."""

from typing import Any

import pytest

from dce_play.discord.exporters.discord_api.convert.entities import DIRECT_MESSAGES
from dce_play.discord.exporters.discord_api.convert.guild_view import GuildCache, GuildView
from dce_play.discord.exporters.discord_api.convert.message import message_object
from dce_play.discord.exporters.discord_api.rest.client import DiscordClient
from dce_play.discord.exporters.discord_api.rest.watch import Watch
from tests.support.fakes import FakeClock
from tests.support.scripted_discord import TOKEN, message


def written(*, latest: bool = True, **changes: Any) -> Any:
    """Map a direct message, which needs no request."""
    client = DiscordClient("http://127.0.0.1:9", TOKEN, clock=FakeClock())
    view = GuildView(client, GuildCache(DIRECT_MESSAGES, {}, {}), Watch(FakeClock()))
    try:
        return message_object(message(5, **changes), view, lambda _id, _emoji, _count: iter(()), latest=latest)
    finally:
        client.close()


FORWARD: dict[str, Any] = {
    "content": "",
    "message_reference": {"type": 1, "message_id": "4", "channel_id": "111"},
    "message_snapshots": [
        {
            "message": {
                "content": "the <t:0:d> original",
                "timestamp": "2024-01-01T00:00:00Z",
                "edited_timestamp": None,
                "attachments": [{"id": "1", "url": "u", "filename": "f", "size": 3}],
                "embeds": [{"title": "t"}],
                "sticker_items": [{"id": "2", "name": "s", "format_type": 1}],
            }
        }
    ],
}
POLL: dict[str, Any] = {
    "poll": {
        "question": {"text": "Tea?"},
        "answers": [
            {"answer_id": 1, "poll_media": {"text": "yes", "emoji": {"id": None, "name": "\U0001f375"}}},
            {"answer_id": 2, "poll_media": {"text": "no"}},
        ],
        "expiry": "2024-01-02T00:00:00Z",
        "allow_multiselect": True,
        "results": {"is_finalized": True, "answer_counts": [{"id": 1, "count": 3, "me_voted": False}]},
    }
}
COMPONENTS: dict[str, Any] = {
    "components": [
        {"type": 17, "components": [{"type": 10, "content": "words that are in no content"}, {"type": 99}]},
        {"type": 1, "components": [{"type": 2, "style": 5, "label": "go", "url": "https://example.com/"}]},
    ]
}


@pytest.mark.contract("F-L13")
def test_a_forwarded_message_is_kept_with_its_words_and_files() -> None:
    found = written(**FORWARD)
    assert found["reference"] == {"type": "Forward", "messageId": "4", "channelId": "111", "guildId": None}
    original = found["forwardedMessage"]
    assert list(original) == ["timestamp", "timestampEdited", "content", "attachments", "embeds", "stickers"]
    assert original["timestamp"] == "2024-01-01T00:00:00+00:00"
    assert original["content"] == "the 01/01/1970 original"
    assert [original["attachments"][0]["fileName"], original["stickers"][0]["name"]] == ["f", "s"]


@pytest.mark.contract("F-L13")
def test_a_poll_is_kept_with_its_answers_and_votes() -> None:
    poll = written(**POLL)["poll"]
    assert (poll["question"], poll["expiresAt"], poll["allowsMultipleAnswers"]) == (
        "Tea?",
        "2024-01-02T00:00:00+00:00",
        True,
    )
    assert [(answer["id"], answer["text"]) for answer in poll["answers"]] == [(1, "yes"), (2, "no")]
    assert poll["answers"][0]["emoji"]["code"] == "tea"
    assert poll["results"] == {"isFinalized": True, "answers": [{"id": 1, "count": 3, "didCurrentUserVote": False}]}


@pytest.mark.contract("F-L13")
def test_components_are_kept_with_their_texts_and_links() -> None:
    container, row = written(**COMPONENTS)["components"]
    assert container == {
        "type": "Container",
        "components": [{"type": "TextDisplay", "content": "words that are in no content"}],
    }
    assert row["components"][0] == {
        "type": "Button",
        "style": "Link",
        "label": "go",
        "url": "https://example.com/",
        "customId": None,
        "skuId": None,
        "isDisabled": False,
    }


@pytest.mark.contract("F-L13")
def test_images_have_their_own_url_beside_the_proxys() -> None:
    picture = {"url": "https://example.com/p.png", "proxy_url": "https://proxy.invalid/p.png", "width": 1, "height": 2}
    author = {"name": "n", "icon_url": "https://example.com/i.png", "proxy_icon_url": "https://proxy.invalid/i.png"}
    embed = written(embeds=[{"image": picture, "author": author}])["embeds"][0]
    assert list(embed["image"].items())[:2] == [
        ("url", "https://proxy.invalid/p.png"),
        ("canonicalUrl", "https://example.com/p.png"),
    ]
    assert embed["author"]["iconCanonicalUrl"] == "https://example.com/i.png"


@pytest.mark.parametrize("changes", [FORWARD, POLL, COMPONENTS, {}])
@pytest.mark.contract("F-L13")
def test_the_format_of_2_46_has_none_of_it(changes: dict[str, Any]) -> None:
    plain = list(written(latest=False))
    old = written(latest=False, **changes)
    assert set(old) - set(plain) <= {"reference"}
    assert "type" not in old.get("reference", {})
    assert set(written(**changes)) - set(old) <= {"components", "forwardedMessage", "poll"}


@pytest.mark.contract("F-L13", "F-B7")
@pytest.mark.parametrize("odd", [3, "x", [], {}, [3], [{}], [{"type": 17, "components": "x"}], {"question": 3}])
def test_odd_values_in_new_places_stop_nothing(odd: Any) -> None:
    found = written(components=odd, poll=odd, message_snapshots=odd)
    assert found["id"] == "5"


def test_components_in_components_end() -> None:
    deep: dict[str, Any] = {"type": 17}
    for _ in range(60):
        deep = {"type": 17, "components": [deep]}
    assert written(components=[deep])["components"][0]["type"] == "Container"
