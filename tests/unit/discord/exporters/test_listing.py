"""DCE's listings are read line by line, whatever else is printed between."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dce_play.discord.exporters.listing import parse_channels, parse_direct_messages, parse_guilds
from dce_play.snowflake import GuildId

GUILD = GuildId("754679440998400000")
BANNER = "╔═════════════╗\n║ Thank you | for 1234567890123456789 ║\n╚═════════════╝\n"
NAMES = st.text(st.characters(exclude_categories=("Cs", "Cc", "Zl", "Zp")), min_size=1).filter(
    lambda name: name == name.strip()
)


@pytest.mark.contract("R-17.02", "R-17.06")
def test_guilds_are_read_past_banner_and_direct_messages() -> None:
    text = BANNER + "0                   | Direct Messages\n754679440998400000  | Lab | Guild\n1234567890123456 | x\r\n"
    assert [(guild.guild_id, guild.name) for guild in parse_guilds(text)] == [
        ("754679440998400000", "Lab | Guild"),
        ("1234567890123456", "x"),
    ]


@pytest.mark.contract("R-17.02", "R-3.03")
def test_threads_follow_their_channel_and_keep_its_name() -> None:
    text = (
        "Fetching channels...\n"
        "796622485192704000 | Main / rich | talk\n"
        " * 796622522941440000 | Thread / a | b | Active\n"
        " * 796622522941440001 | Thread / old | Archived\n"
        "796622489387008000 | news\n"
        "Note: Output streams are redirected\n"
        "12 | too short an id\n"
        "     | no id\n"
    )
    found = parse_channels(text, GUILD)
    assert [(each.channel_id, each.name, each.kind) for each in found] == [
        ("796622485192704000", "Main / rich | talk", "GuildTextChat"),
        ("796622522941440000", "Main / rich | talk / a | b", "GuildPublicThread"),
        ("796622522941440001", "Main / rich | talk / old", "GuildPublicThread"),
        ("796622489387008000", "news", "GuildTextChat"),
    ]
    assert {each.guild_id for each in found} == {GUILD}


@pytest.mark.contract("R-3.25", "D-66")
def test_control_characters_leave_names() -> None:
    (found,) = parse_direct_messages("796622485192704000 | bob\x1b[2J\x07, \x00cy\n")
    assert found.name == "bob ,  cy"
    assert found.guild_id == "0"


@pytest.mark.contract("R-17.02", "D-66")
@given(st.lists(st.tuples(st.integers(10**15, 10**19), NAMES), max_size=6), st.integers(0, 6))
def test_every_guild_comes_back_with_its_name(rows: list[tuple[int, str]], padding: int) -> None:
    text = BANNER + "".join(f"{identifier}{' ' * padding} | {name}\n" for identifier, name in rows)
    assert [(guild.guild_id, guild.name) for guild in parse_guilds(text)] == [
        (str(identifier), name) for identifier, name in rows
    ]
