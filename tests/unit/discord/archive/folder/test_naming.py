"""File names of channel files."""

import os
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dce_play.discord.archive.folder.naming import MAX_NAME_BYTES, new_file_name, shown
from dce_play.discord.archive.folder.seeds import channel_id_of
from dce_play.snowflake import ChannelId

ID = ChannelId("1573508731788951644")


@pytest.mark.contract("S-01")
def test_the_name_is_guild_category_channel_and_id() -> None:
    name = new_file_name("Fixture Guild", "Testing Grounds", "fixture-room", channel_id=ChannelId("111"))
    assert name == "Fixture Guild - Testing Grounds - fixture-room [111].json"


def test_empty_parts_are_left_out() -> None:
    assert new_file_name("Guild", "", "room", channel_id=ID) == f"Guild - room [{ID}].json"


def test_a_channel_without_any_name_is_called_channel() -> None:
    assert new_file_name("", " \n", "...", channel_id=ID) == f"channel [{ID}].json"


@pytest.mark.contract("R-2.06")
def test_a_name_cannot_climb_out_or_hide() -> None:
    name = new_file_name("../../evil", "a/b\\c", "x", channel_id=ID)
    assert name == f"_.._evil - a_b_c - x [{ID}].json"


@pytest.mark.contract("R-2.06")
def test_characters_that_some_file_system_forbids_become_underscores() -> None:
    assert new_file_name('a:b*c?d"e<f>g|h', "", "", channel_id=ID) == f"a_b_c_d_e_f_g_h [{ID}].json"


@pytest.mark.contract("D-66")
def test_control_and_direction_characters_go() -> None:
    assert new_file_name("a\r\nb\x1bc\u202egnp", "", "", channel_id=ID) == f"a b cgnp [{ID}].json"


@pytest.mark.contract("R-2.06", "D-29")
def test_a_long_name_loses_from_its_longest_part_and_keeps_the_rest() -> None:
    name = new_file_name("漢" * 100, "Category", "room", channel_id=ID)
    assert name.endswith(f" - Category - room [{ID}].json")
    assert len(name.encode()) <= MAX_NAME_BYTES


@pytest.mark.contract("R-2.06", "D-29")
@given(st.text(), st.text(), st.text())
def test_every_name_is_a_legal_one_that_leads_back_to_its_channel(guild: str, category: str, channel: str) -> None:
    name = new_file_name(guild, category, channel, channel_id=ID)
    assert len(name.encode()) <= MAX_NAME_BYTES
    assert not name.startswith((".", " "))
    assert not set(name) & set('/\\:*?"<>|\n\r\t\0')
    assert channel_id_of(name) == ID


@pytest.mark.contract("D-66", "R-2.11")
def test_a_path_is_shown_on_one_line_whatever_its_bytes_are() -> None:
    path = Path(os.fsdecode(b"a\nOK: forged\x1b[31m\xff [1].json"))
    assert shown(path) == "a\\nOK: forged\\x1b[31m\\xff [1].json"
