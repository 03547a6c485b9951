from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dce_play.discord.archive.append.delta import open_deltas, select
from dce_play.discord.archive.append.payload import Payload
from dce_play.snowflake import MessageId
from dce_play.system.durable.disk import REAL
from tests.support.channel_files import channel_bytes

SEPARATOR = b",\n    "


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path


def write(folder: Path, *exports: list[int]) -> list[Path]:
    paths = []
    for number, ids in enumerate(exports):
        paths.append(folder / f"delta-{number}.json")
        paths[-1].write_bytes(channel_bytes(ids))
    return paths


def test_neighbours_become_one_piece(folder: Path) -> None:
    with open_deltas(write(folder, [1, 2, 3, 4]), disk=REAL) as deltas:
        selection = select(deltas, after=MessageId("2"), separator=SEPARATOR)

    assert selection.new is not None
    assert len(selection.new.pieces) == 1
    assert (selection.new.count, selection.new.first_id, selection.new.last_id) == (2, "3", "4")
    assert [copy.id for copy in selection.known] == [1, 2]


def test_another_separator_cuts_between_all(folder: Path) -> None:
    with open_deltas(write(folder, [1, 2, 3]), disk=REAL) as deltas:
        selection = select(deltas, after=None, separator=b",\r\n    ")

    assert selection.new is not None
    assert len(selection.new.pieces) == 3


def test_nothing_new_is_none(folder: Path) -> None:
    with open_deltas(write(folder, [1, 2]), disk=REAL) as deltas:
        assert select(deltas, after=MessageId("9"), separator=SEPARATOR).new is None


def test_small_pieces_are_written_together_and_never_all_at_once(folder: Path) -> None:
    with open_deltas(write(folder, list(range(1, 200))), disk=REAL) as deltas:
        selection = select(deltas, after=None, separator=b",\r\n    ")
        assert selection.new is not None
        pieces = selection.new.pieces
        payload = Payload(deltas=deltas, pieces=pieces, opening=b"", separator=b",\r\n    ", closing=b"")
        blocks = list(payload.gathered(block_bytes=4000))
        largest = max(piece.end - piece.start for piece in pieces)

    assert len(pieces) == 199
    assert all(4000 <= len(block) < 4000 + largest for block in blocks[:-1])
    assert len(blocks) > 10


@given(exports=st.lists(st.lists(st.integers(1, 30), max_size=8), min_size=1, max_size=3), after=st.integers(0, 30))
def test_each_new_id_is_chosen_once_in_order(
    tmp_path_factory: pytest.TempPathFactory, exports: list[list[int]], after: int
) -> None:
    paths = write(tmp_path_factory.mktemp("deltas"), *exports)
    expected = sorted({identifier for ids in exports for identifier in ids if identifier > after})
    with open_deltas(paths, disk=REAL) as deltas:
        selection = select(deltas, after=MessageId(str(after)), separator=SEPARATOR)
        pieces = selection.new.pieces if selection.new else ()
        payload = Payload(deltas=deltas, pieces=pieces, opening=b"", separator=SEPARATOR, closing=b"")
        data = b"".join(payload.blocks())
        assert data == b"".join(payload.gathered(block_bytes=100))
        assert payload.measure()[0] == len(data)

    whole = channel_bytes(expected)
    assert data == whole[whole.index(b'"messages": [') + 18 : whole.rindex(b"\n  ]")] if expected else data == b""
