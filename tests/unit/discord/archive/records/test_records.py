import json
from pathlib import Path

import pytest

from dce_play.discord.archive.records.records import (
    AppendLine,
    ChannelRecord,
    add_append_line,
    read_appends,
    read_record,
    write_record,
)
from dce_play.layout import TargetLayout
from dce_play.snowflake import ChannelId, MessageId
from dce_play.system.durable.disk import REAL, Disk
from dce_play.system.durable.json_lines import add_lines, read_lines

CHANNEL = ChannelId("111")


def line(append_id: str, channel_id: str = "111") -> AppendLine:
    return AppendLine(
        kind="appended",
        append_id=append_id,
        time="2026-11-21T01:15:07Z",
        run_id="r",
        channel_id=ChannelId(channel_id),
        first_id=MessageId("3"),
        last_id=MessageId("4"),
        count=2,
        message_count=4,
        cut_before=10,
        cut_after=20,
        exporter="t",
        exporter_version="1",
        exported_at=None,
    )


@pytest.fixture
def layout(tmp_path: Path) -> TargetLayout:
    return TargetLayout(tmp_path)


def test_a_record_comes_back_as_it_was_written(layout: TargetLayout) -> None:
    record = ChannelRecord(
        channel_id=CHANNEL,
        inode=1,
        size_bytes=2,
        mtime_ns=3,
        ctime_ns=4,
        last_id=MessageId("5"),
        message_count=6,
        ordered=True,
    )
    write_record(layout, record)

    assert read_record(layout, CHANNEL) == record
    assert read_record(layout, ChannelId("112")) is None


@pytest.mark.parametrize("data", [b"", b"{}", b"{}\n00\n", b"\0" * 200])
def test_a_record_that_a_power_loss_tore_is_none(layout: TargetLayout, data: bytes) -> None:
    path = layout.record(CHANNEL)
    path.parent.mkdir(parents=True)
    path.write_bytes(data)

    assert read_record(layout, CHANNEL) is None


def test_lines_come_back_oldest_first_and_by_channel(layout: TargetLayout) -> None:
    for entry in (line("append-a"), line("append-b", "112"), line("append-c")):
        add_append_line(layout, entry, disk=REAL)

    assert [entry.append_id for entry in read_appends(layout)] == ["append-a", "append-b", "append-c"]
    assert [entry.append_id for entry in read_appends(layout, CHANNEL)] == ["append-a", "append-c"]


def test_the_same_append_has_one_line(layout: TargetLayout) -> None:
    add_append_line(layout, line("append-a"), disk=REAL)
    add_append_line(layout, line("append-a"), disk=REAL)

    assert len(layout.appends.read_text().splitlines()) == 1


@pytest.mark.parametrize("torn", [b'{"kind": "app', b'{"append_id": "append-b"', b"\0\0\0"])
def test_a_torn_last_line_is_closed_and_passed_over(layout: TargetLayout, torn: bytes) -> None:
    add_append_line(layout, line("append-a"), disk=REAL)
    with layout.appends.open("ab") as out:
        out.write(torn)

    add_append_line(layout, line("append-b"), disk=REAL)

    assert [entry.append_id for entry in read_appends(layout)] == ["append-a", "append-b"]


def test_a_torn_line_does_not_count_as_written(layout: TargetLayout) -> None:
    add_append_line(layout, line("append-a"), disk=REAL)
    layout.appends.write_bytes(layout.appends.read_bytes()[:-1])

    add_append_line(layout, line("append-a"), disk=REAL)

    assert [entry.append_id for entry in read_appends(layout)] == ["append-a"]


def test_lines_go_to_the_end_even_when_another_program_wrote_meanwhile(layout: TargetLayout) -> None:
    class Busy(Disk):
        def write_at(self, descriptor: int, data: bytes, offset: int) -> None:
            with layout.appends.open("ab") as other:
                other.write(json.dumps({"other": 1}).encode() + b"\n")
            super().write_at(descriptor, data, offset)

    add_append_line(layout, line("append-a"), disk=REAL)
    add_lines(layout.appends, [b'{"mine": 1}'], disk=Busy())

    assert [next(iter(value)) for value in read_lines(layout.appends)] == ["kind", "other", "mine"]


class LyingDisk(Disk):
    def write_at(self, _descriptor: int, _data: bytes, _offset: int) -> None:
        """Write nothing and say all."""


def test_a_line_that_was_not_really_written_is_noticed(layout: TargetLayout) -> None:
    with pytest.raises(OSError, match="read back"):
        add_append_line(layout, line("append-a"), disk=LyingDisk())
