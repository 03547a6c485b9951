import json
from pathlib import Path

import pytest

from dce_play.discord.archive.records.edits import Edit, StoredTimes, add_edits, same_message
from dce_play.discord.archive.records.records import AppendLine, add_append_line
from dce_play.layout import TargetLayout
from dce_play.snowflake import ChannelId, MessageId
from dce_play.system.durable.disk import REAL
from dce_play.system.durable.json_lines import read_lines

CHANNEL = ChannelId("111")
EARLY, MIDDLE, LATE = (f"2026-0{month}-01T00:00:00+00:00" for month in (1, 2, 3))


@pytest.fixture
def layout(tmp_path: Path) -> TargetLayout:
    return TargetLayout(tmp_path)


def edit(message: bytes) -> Edit:
    return Edit(message_id=MessageId("5"), message=message, exported_at=MIDDLE)


def add(layout: TargetLayout, *messages: bytes, run_id: str = "r") -> None:
    add_edits(layout, CHANNEL, list(map(edit, messages)), run_id=run_id, time="2026-11-21T01:15:07Z", disk=REAL)


def stored(layout: TargetLayout) -> list[object]:
    return [line["message"]["content"] for line in read_lines(layout.edits(CHANNEL))]


def test_a_message_keeps_its_spelling_on_one_line(layout: TargetLayout) -> None:
    add(layout, b'{\r\n  "id": "5",\n      "content": "a  b\\n\\uD83D\\uDE00",\n\t"n": 1.10\n}')

    text = layout.edits(CHANNEL).read_text()

    assert text.count("\n") == 1
    assert '"message": {"id": "5","content": "a  b\\n\\uD83D\\uDE00","n": 1.10}' in text
    assert json.loads(text)["exported_at"] == MIDDLE


def test_a_run_that_is_tried_again_writes_nothing_twice(layout: TargetLayout) -> None:
    one, two = b'{"content": "one"}', b'{"content": "two"}'
    add(layout, one, two)
    add(layout, one, two)

    assert stored(layout) == ["one", "two"]


def test_another_run_repeats_only_what_has_changed_since(layout: TargetLayout) -> None:
    add(layout, b'{"content": "one"}')
    add(layout, b'{"content":"\\u006fne"}', run_id="r2")
    add(layout, b'{"content": "two"}', run_id="r3")
    add(layout, b'{"content": "one"}', run_id="r4")

    assert stored(layout) == ["one", "two", "one"]


def test_no_edits_make_no_file(layout: TargetLayout) -> None:
    add(layout)

    assert not layout.edits(CHANNEL).exists()


@pytest.mark.contract("R-16.06")
@pytest.mark.parametrize(
    ("one", "other", "same"),
    [
        (b'{"a": "\\u00e9"}', '{ "a": "é" }'.encode(), True),
        (b'{"a": "\\uD83D\\uDE00"}', '{"a": "\U0001f600"}'.encode(), True),
        (b'{"a": 1, "b": 2}', b'{"b": 2, "a": 1}', True),
        (b'{"a": [1, 2]}', b'{"a": [2, 1]}', False),
        (b'{"a": null}', b"{}", False),
        (b'{"a": "\\ud800"}', b'{"a": "\\ud800" }', True),
    ],
)
def test_sameness_is_of_meaning(one: bytes, other: bytes, same: bool) -> None:
    assert same_message(one, other) == same


def test_a_stored_copy_is_as_old_as_the_export_that_brought_it(layout: TargetLayout) -> None:
    line = AppendLine(
        kind="appended",
        append_id="append-1",
        time=LATE,
        run_id="r",
        channel_id=CHANNEL,
        first_id=MessageId("10"),
        last_id=MessageId("20"),
        count=2,
        message_count=2,
        cut_before=1,
        cut_after=2,
        exporter="",
        exporter_version="",
        exported_at=LATE,
    )
    add_append_line(layout, line, disk=REAL)
    times = StoredTimes(layout, CHANNEL, EARLY)

    assert times.is_older(MIDDLE, 15)
    assert not times.is_older(MIDDLE, 5)
    assert not times.is_older(LATE, 15)
    assert not times.is_older(None, 15)
    assert not StoredTimes(layout, CHANNEL, None).is_older(EARLY, 5)


def test_numbers_of_any_length_are_compared_as_they_are_written() -> None:
    long = b"1" * 5000
    assert same_message(b'{"id": "1", "n": %b}' % long, b'{"id":"1","n":%b}' % long)
    assert not same_message(b'{"id": "1", "n": %b}' % long, b'{"id":"1","n":%b1}' % long)
