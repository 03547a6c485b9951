"""A channel file for other programs: its own bytes, or a message a line."""

import json
from pathlib import Path

import pytest

from dce_play.discord.archive.view.cat import cat_file, cat_messages
from dce_play.layout import TargetLayout
from dce_play.snowflake import MessageId
from tests.support.layouts import LAYOUTS, MESSAGES_FIRST, dce, export, message

ALL_LAYOUTS = LAYOUTS | MESSAGES_FIRST


@pytest.mark.parametrize("layout", ALL_LAYOUTS)
def test_a_whole_file_comes_out_as_it_is(tmp_path: Path, layout: str) -> None:
    path = tmp_path / "a.json"
    path.write_bytes(ALL_LAYOUTS[layout](export(message(n) for n in range(1, 30))))
    assert b"".join(cat_file(path, layout=TargetLayout(tmp_path))) == path.read_bytes()


@pytest.mark.parametrize("layout", ALL_LAYOUTS)
def test_each_message_is_one_line_of_json(tmp_path: Path, layout: str) -> None:
    messages = [message(n, "a\n    b\r\n 🎩") for n in range(1, 30)]
    path = tmp_path / "a.json"
    path.write_bytes(ALL_LAYOUTS[layout](export(messages)))
    lines = list(cat_messages(path, layout=TargetLayout(tmp_path)))
    assert all(b"\n" not in line for line in lines)
    assert [json.loads(line) for line in lines] == messages


def test_a_range_of_ids_is_open_below_and_closed_above(tmp_path: Path) -> None:
    path = tmp_path / "a.json"
    path.write_bytes(dce(export(message(n) for n in [*range(10, 20), 5])))
    found = cat_messages(path, layout=TargetLayout(tmp_path), after=MessageId("12"), until=MessageId("15"))
    assert [json.loads(line)["id"] for line in found] == ["13", "14", "15"]
    assert list(cat_messages(path, layout=TargetLayout(tmp_path), after=MessageId("19"))) == []


def test_the_messages_own_spelling_is_kept(tmp_path: Path) -> None:
    path = tmp_path / "a.json"
    path.write_bytes(b'{"channel": {"id": "5"}, "messages": [{"id":"1" ,\n "n": 1.50, "s": "\\ud83d\\u0041"}]}')
    assert list(cat_messages(path, layout=TargetLayout(tmp_path))) == [b'{"id":"1" ,"n": 1.50, "s": "\\ud83d\\u0041"}']
