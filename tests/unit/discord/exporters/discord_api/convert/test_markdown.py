"""Tests of which emoji a text shows."""

import json
import re
import time
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dce_play.discord.exporters.discord_api.convert.emoji import Emoji
from dce_play.discord.exporters.discord_api.convert.markdown import Steps, inline_emoji

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
        (f"> - item {SMILE}\n> <:x:1>", [SMILE, "x"]),
        (f"{SMILE}\n- item <:x:1>\nafter <:y:2>", [SMILE, "y"]),
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
        f"- one {SMILE}\n- two <:x:1>\n  more <:y:2>",
        f"* one {SMILE}",
        f"  \n  - one {SMILE}",
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
@pytest.mark.contract("F-D1")
def test_code_links_and_escapes_show_none(text: str) -> None:
    assert names(text) == []


def test_a_custom_emoji_keeps_its_id_and_whether_it_moves() -> None:
    assert inline_emoji("<a:party:7><:still:8>") == [PARTY, Emoji("8", "still", False)]


def test_each_name_is_shown_once_as_it_first_came() -> None:
    assert inline_emoji("<a:party:7> <:party:9>") == [PARTY]


def test_deep_nesting_ends() -> None:
    assert names("*" * 300 + SMILE + "*" * 300) in ([], [SMILE])


DATA = Path(__file__).parents[5] / "data" / "emoji" / "inline-emojis-2.46.jsonl"
SENTENCE = re.compile(r"Changed the channel name: (.*)|Added .*|Removed .*|[A-Z][a-z]+ (?:a|the) [a-z ]+\.")


CHARACTERS = 3538
"""So many texts are emoji as characters; the others are codes."""


def content_of(number: int, expected: list[tuple[str, str]]) -> str:
    return "".join(name for name, _ in expected) if number < CHARACTERS else f":{expected[0][1]}:"


@pytest.mark.contract("F-D3")
def test_the_emoji_of_8819_texts_are_those_that_dce_wrote() -> None:
    wrong = []
    count = 0
    for number, line in enumerate(DATA.read_text(encoding="utf-8").splitlines()):
        shown, expected = json.loads(line)
        sentence = SENTENCE.fullmatch(shown)
        # Messages that Discord makes are shown as sentences; what is read is the content behind them.
        text = shown if sentence is None else sentence[1] or content_of(number, expected)
        found = [[emoji.name, emoji.code] for emoji in inline_emoji(text)]
        count += 1
        if found != expected:
            wrong.append((text, found, expected))
    assert wrong == []
    assert count == 8819


PIECES = (
    "*", "**", "***", "_", "__", "___", "~~", "||", "`", "``", "```", "[", "](", "[a](", "<", "<:", "<a:x:", "<:x:1",
    ":", ":a", ":a:", "> ", ">>> ", "- ", "\n- ", "\n> ", "\n", " ", "\n ", "# ", "\n# ", "http://", "<http://", ">",
    "http://.", "<t:", "<t:1", "1", "<@", "<@1", "\\", "a", "*a", "a*", "~~a~~", "*_", "**_", "- **a** ", "_a ",
)  # fmt: skip


def steps_of(text: str) -> int:
    steps = Steps()
    inline_emoji(text, steps)
    return steps.count


@pytest.mark.parametrize("first", PIECES)
@pytest.mark.contract("F-B4")
def test_twice_the_text_takes_at_most_three_times_the_steps(first: str) -> None:
    for second in ("", *PIECES):
        text = (first + second) * 12
        once, twice = steps_of(text + SMILE), steps_of(text * 2 + SMILE)
        assert twice <= 3 * once + 200, (first, second)


@pytest.mark.parametrize("text", ["*" * 4000, "<:" * 2000, "[" * 4000, "`" * 3999, "<http://" * 500, "- **\n" * 900])
@pytest.mark.contract("F-B4")
def test_any_text_of_a_messages_length_is_read_at_once(text: str) -> None:
    started = time.process_time()
    inline_emoji(text + SMILE)
    assert time.process_time() - started < 2


@given(st.text(st.sampled_from([*"*_~|>#-`:<@!&a\\ \n[]()1t/", SMILE, "\u26a0", "\U0001f3fd"]), max_size=60))
def test_any_text_is_read_to_its_end(text: str) -> None:
    for emoji in inline_emoji(text):
        assert emoji.emoji_id is not None or emoji.name in text
