"""Heads: what a file says of itself, whatever its layout."""

import json
from pathlib import Path

import pytest

from dce_play.discord.archive.scan.damage import DamagedFile
from dce_play.discord.archive.scan.head import read_head
from tests.support.layouts import CHANNEL_ID, LAYOUTS, MESSAGES_FIRST, dce, export, message

DATA = Path(__file__).parents[4] / "data"


@pytest.mark.parametrize("path", sorted(DATA.rglob("*.json")), ids=lambda path: str(path.relative_to(DATA)))
def test_every_real_file_says_what_it_is(path: Path) -> None:
    head = read_head(path)
    assert head.is_dce_layout
    assert not head.states_count
    assert path.read_bytes()[: head.start].endswith(b'"messages": [')
    start = json.loads(path.read_bytes()[: head.start] + b"]}")
    channel = start["channel"]
    assert (head.channel_id, head.channel_name, head.channel_type) == (channel["id"], channel["name"], channel["type"])
    assert (head.category, head.category_id) == (channel["category"], channel["categoryId"])
    assert (head.guild_id, head.guild_name) == (start["guild"]["id"], start["guild"]["name"])
    assert (head.after, head.before) == (start["dateRange"]["after"], start["dateRange"]["before"])
    assert head.exported_at == start.get("exportedAt")


@pytest.mark.parametrize("layout", LAYOUTS | MESSAGES_FIRST)
@pytest.mark.contract("R-16.02", "R-16.03")
def test_the_channel_is_found_in_every_layout(tmp_path: Path, layout: str) -> None:
    path = tmp_path / "a.json"
    path.write_bytes((LAYOUTS | MESSAGES_FIRST)[layout](export(message(n) for n in range(1, 9))))
    head = read_head(path)
    assert head.channel_id == CHANNEL_ID
    assert head.is_dce_layout == (layout in {"dce", "jq", "crlf", "no count"})
    assert head.states_count == (layout in {"sorted keys", "sorted keys minified", "count first"})


def test_a_head_longer_than_one_read_is_read(tmp_path: Path) -> None:
    path = tmp_path / "a.json"
    path.write_bytes(dce(export([message(1)], extra=["x" * 1000] * 300)))
    assert read_head(path).channel_id == CHANNEL_ID


@pytest.mark.parametrize("channel", [None, {}, {"id": 5}, {"id": "five"}, {"id": ""}, [], "5"])
def test_a_file_that_names_no_channel_has_no_head(tmp_path: Path, channel: object) -> None:
    path = tmp_path / "a.json"
    path.write_bytes(dce(export([message(1)], channel=channel)))
    with pytest.raises(DamagedFile, match="names no channel"):
        read_head(path)
