"""What a channel file is at one moment."""

import zlib
from pathlib import Path

import pytest

from dce_play.discord.archive.proof.fingerprint import (
    BLOCK_BYTES,
    Fingerprint,
    MessageIndex,
    extend_fingerprint,
    first_changed_block,
    take_fingerprint,
)
from dce_play.discord.archive.scan.channel_bytes import open_bytes
from dce_play.discord.archive.scan.spans import Spans, read_all_spans
from dce_play.system.durable.disk import facts_from
from tests.support.channel_files import channel_bytes


def taken(path: Path) -> tuple[Fingerprint, MessageIndex]:
    with open_bytes(path) as channel:
        return take_fingerprint(channel, facts_from(path.stat()))


def file_with(path: Path, contents: dict[int, str]) -> Path:
    path.write_bytes(channel_bytes(contents, contents=contents))
    return path


LONG = {1: "a", 2: "x" * (3 << 20), 3: "b", 4: "y" * (9 << 20), 5: "c"}
"""Messages that begin, end and go on across blocks."""


def test_each_message_s_checksum_is_that_of_its_bytes_wherever_the_blocks_end(tmp_path: Path) -> None:
    path = file_with(tmp_path / "x.json", LONG)
    data = path.read_bytes()
    with open_bytes(path) as channel:
        spans = read_all_spans(channel)
    expected = [zlib.crc32(data[first:last]) for first, last in zip(spans.starts, spans.ends, strict=True)]
    fingerprint, index = taken(path)
    assert list(index.pairs()) == list(zip([1, 2, 3, 4, 5], expected, strict=True))
    assert len(fingerprint.blocks) == -(-fingerprint.cut // BLOCK_BYTES)


def test_the_index_is_in_order_of_the_ids(tmp_path: Path) -> None:
    path = file_with(tmp_path / "x.json", {5: "five", 1: "one", 3: "three"})
    fingerprint, index = taken(path)
    assert list(index.ids) == [1, 3, 5]
    assert not fingerprint.ordered


def test_repeated_ids_are_counted(tmp_path: Path) -> None:
    path = tmp_path / "x.json"
    path.write_bytes(channel_bytes([1, 2, 2, 1]))
    assert taken(path)[0].duplicates == 2


@pytest.mark.parametrize("old", [[], [1], [1, 2], [1, 2, 3], [1, 2, 3, 4]])
def test_carrying_on_comes_to_the_same_as_taking_anew(tmp_path: Path, old: list[int]) -> None:
    before, index = taken(file_with(tmp_path / "old.json", {number: LONG[number] for number in old}))
    path = file_with(tmp_path / "new.json", LONG)
    with open_bytes(path) as channel:
        spans = read_all_spans(channel)
        fresh = Spans(ids=spans.ids[len(old) :], starts=spans.starts[len(old) :], ends=spans.ends[len(old) :])
        anew = take_fingerprint(channel, facts_from(path.stat()))
        carried = extend_fingerprint(
            before, index, channel=channel, facts=facts_from(path.stat()), spans=fresh, cut=anew[0].cut
        )
    assert carried == anew


@pytest.mark.parametrize("offset", [0, 100, BLOCK_BYTES - 1, BLOCK_BYTES, 2 * BLOCK_BYTES + 5])
def test_a_changed_byte_is_found_in_its_block(tmp_path: Path, offset: int) -> None:
    path = file_with(tmp_path / "x.json", LONG)
    before, _ = taken(path)
    data = bytearray(path.read_bytes())
    data[offset] ^= 1
    path.write_bytes(data)
    with open_bytes(path) as channel:
        assert first_changed_block(channel, before) == offset // BLOCK_BYTES * BLOCK_BYTES


def test_bytes_after_the_cut_are_none_of_the_blocks(tmp_path: Path) -> None:
    path = file_with(tmp_path / "x.json", LONG)
    before, _ = taken(path)
    path.write_bytes(path.read_bytes() + b"\n")
    with open_bytes(path) as channel:
        assert first_changed_block(channel, before) is None
