"""Tests of which emoji a text shows."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dce_play.discord.exporters.discord_api.emoji import Emoji
from dce_play.discord.exporters.discord_api.markdown import inline_emoji

SMILE, HEART, PARTY = "\U0001f600", "\u2764\ufe0f", Emoji("7", "party", True)


def names(text: str) -> list[str]:
    return [emoji.name for emoji in inline_emoji(text)]


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("nothing at all", []),
        (f"hi {SMILE}", [SMILE]),
        (f"{SMILE} {SMILE} <a:party:7>", [SMILE, "party"]),
        ("\U0001f44d\U0001f3fd", ["\U0001f44d", "\U0001f3fd"]),
        ("\U0001f1e9\U0001f1ea", ["\U0001f1e9\U0001f1ea"]),
        ("\u26a0\ufe0f", ["\u26a0"]),
        ("1\u20e3", ["1\u20e3"]),
        (f"**bold {SMILE}** and _it {SMILE}_", [SMILE]),
        (f"***both {SMILE}*** ___under <:x:1>___", [SMILE, "x"]),
        (f"~~gone {SMILE}~~ ||hidden <:x:1>||", [SMILE, "x"]),
        (f"> quote {SMILE}\n> <:x:1>\n", [SMILE, "x"]),
        (f"> quote {SMILE}", [SMILE]),
        (f">>> all of it {SMILE}\n<:x:1>", [SMILE, "x"]),
        (f"# head {SMILE}\ntext <:x:1>", [SMILE, "x"]),
        (f"- one {SMILE}\n- two <:x:1>\n  more <:y:2>", [SMILE, "x", "y"]),
        (f"[title {SMILE}](https://example.com)", [SMILE]),
        (":thumbsup: :tada:", ["\U0001f44d", "\U0001f389"]),
        ("at 12:30:45 it was", []),
    ],
)
def test_emoji_are_shown_in_any_formatting(text: str, shown: list[str]) -> None:
    assert names(text) == shown


@pytest.mark.parametrize(
    "text",
    [
        f"`code {SMILE}`",
        "``code <:x:1>``",
        f"```\n{SMILE}\n```",
        f"```py\n:tada: {SMILE}```",
        f"\\{SMILE}",
        "https://example.com/:tada:/x",
        "<https://example.com/:tada:>",
        "\u2122 \u00a9 \u267e",
        "<@1> <#2> <@&3> @everyone <t:1:F>",
    ],
)
def test_code_links_and_escapes_show_none(text: str) -> None:
    assert names(text) == []


def test_a_custom_emoji_keeps_its_id_and_whether_it_moves() -> None:
    assert inline_emoji("<a:party:7><:still:8>") == [PARTY, Emoji("8", "still", False)]


def test_each_name_is_shown_once_as_it_first_came() -> None:
    assert inline_emoji("<a:party:7> <:party:9>") == [PARTY]


def test_deep_nesting_ends() -> None:
    assert names("*" * 300 + SMILE + "*" * 300) in ([], [SMILE])


@given(st.text(st.sampled_from([*"*_~|>#-`:<@!&a\\ \n[]()1t/", SMILE, "\u26a0", "\U0001f3fd"]), max_size=60))
def test_any_text_is_read_to_its_end(text: str) -> None:
    for emoji in inline_emoji(text):
        assert emoji.emoji_id is not None or emoji.name in text
