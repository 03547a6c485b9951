import dataclasses
import os
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dce_play.discord.archive.records.journal import (
    ANCHOR_BYTES,
    AppendJournal,
    JournalDamaged,
    anchor_of,
    arm,
    disarm,
    pending_journals,
    read_journal,
    relative_to_target,
)
from dce_play.discord.archive.scan.channel_bytes import open_bytes
from dce_play.layout import TargetLayout
from dce_play.snowflake import ChannelId, MessageId
from dce_play.system.durable.disk import REAL, Disk

JOURNAL = AppendJournal(
    append_id="a1",
    archive=Path("room [111].json"),
    channel_id=ChannelId("111"),
    device=1,
    inode=2,
    size_bytes=100,
    cut=60,
    old_tail=b'\n  ],\n  "messageCount": 2\n}',
    anchor="00",
    new_size_bytes=200,
    cut_after=160,
    payload_sha256="11",
    count_before=2,
    count=1,
    first_id=MessageId("3"),
    last_id=MessageId("3"),
    run_id="r",
    started="2026-11-21T01:15:07Z",
    exporter="t",
    exporter_version="1",
    exported_at=None,
)


@pytest.fixture
def layout(tmp_path: Path) -> TargetLayout:
    return TargetLayout(tmp_path)


@given(tail=st.binary(max_size=80), name=st.binary(min_size=1, max_size=30).filter(lambda name: b"\0" not in name))
def test_a_journal_comes_back_as_it_was_written(
    tmp_path_factory: pytest.TempPathFactory, tail: bytes, name: bytes
) -> None:
    path = tmp_path_factory.mktemp("journal") / "111.json"
    journal = dataclasses.replace(JOURNAL, old_tail=tail, archive=Path(os.fsdecode(name)))

    arm(REAL, path, journal)

    assert read_journal(REAL, path) == journal


def test_no_journal_is_none(layout: TargetLayout) -> None:
    assert read_journal(REAL, layout.journal(ChannelId("111"))) is None
    assert pending_journals(layout, disk=REAL) == []


def test_a_journal_is_one_line_and_its_checksum(layout: TargetLayout) -> None:
    path = layout.journal(ChannelId("111"))
    arm(REAL, path, JOURNAL)

    line, digest = path.read_text().splitlines()

    assert line.startswith("{")
    assert len(digest) == 64
    assert pending_journals(layout, disk=REAL) == [path]
    disarm(REAL, path)
    assert pending_journals(layout, disk=REAL) == []


def test_any_flipped_bit_is_noticed(layout: TargetLayout) -> None:
    path = layout.journal(ChannelId("111"))
    arm(REAL, path, JOURNAL)
    data = path.read_bytes()

    for position in range(len(data) - 1):
        path.write_bytes(data[:position] + bytes([data[position] ^ 4]) + data[position + 1 :])
        with pytest.raises(JournalDamaged):
            read_journal(REAL, path)


@pytest.mark.parametrize("size", [0, 1, 300])
def test_a_torn_journal_is_noticed(layout: TargetLayout, size: int) -> None:
    path = layout.journal(ChannelId("111"))
    arm(REAL, path, JOURNAL)
    path.write_bytes(path.read_bytes()[:size])

    with pytest.raises(JournalDamaged):
        read_journal(REAL, path)


class LyingDisk(Disk):
    """Writes the first half and says all."""

    def write_at(self, descriptor: int, data: bytes, offset: int) -> None:
        super().write_at(descriptor, data[: len(data) // 2], offset)


def test_a_journal_that_was_not_really_written_is_noticed_while_arming(layout: TargetLayout) -> None:
    with pytest.raises(OSError, match="read back"):
        arm(LyingDisk(), layout.journal(ChannelId("111")), JOURNAL)


def test_the_anchor_is_of_the_bytes_just_before_the_cut(tmp_path: Path) -> None:
    path = tmp_path / "file"
    path.write_bytes(b"x" + b"a" * ANCHOR_BYTES + b"tail")
    with open_bytes(path) as channel:
        first = anchor_of(channel, 1 + ANCHOR_BYTES)
    path.write_bytes(b"y" + b"a" * ANCHOR_BYTES + b"TAIL")
    with open_bytes(path) as channel:
        second, shorter = anchor_of(channel, 1 + ANCHOR_BYTES), anchor_of(channel, ANCHOR_BYTES)

    assert first == second != shorter


def test_a_file_outside_the_targets_folder_keeps_its_whole_path(layout: TargetLayout) -> None:
    inside, outside = layout.folder / "a/room.json", Path("/elsewhere/room.json")

    assert relative_to_target(inside, layout) == Path("a/room.json")
    assert relative_to_target(outside, layout) == outside
