import dataclasses
from array import array
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from dce_play.discord.archive.append.delta import open_deltas
from dce_play.discord.archive.append.rewrite import Rewrite, WouldLose, plan_rewrite, write_rewrite
from dce_play.discord.archive.scan.channel_bytes import ChannelBytes, open_bytes
from dce_play.discord.archive.scan.spans import read_head
from dce_play.discord.archive.scan.tail import read_tail
from dce_play.system.durable.disk import REAL
from tests.support.channel_files import channel_bytes, ids_in, write_channel
from tests.support.dying_disk import Dies, DyingDisk


@pytest.fixture
def archive(tmp_path: Path) -> Path:
    return write_channel(tmp_path / "room [111].json", [1, 3])


@contextmanager
def planned(archive: Path, ids: list[int], *, taken: tuple[int, ...] = (), content: str = "") -> Iterator[Rewrite]:
    delta = archive.with_name("delta")
    delta.write_bytes(channel_bytes(ids, contents=dict.fromkeys(taken, content)))
    with open_bytes(archive) as channel, open_deltas([delta], disk=REAL) as deltas:
        yield plan_rewrite(channel, read_head(channel), read_tail(channel), deltas=deltas, taken=taken)


@pytest.mark.contract("R-3.11", "R-3.10", "D-63")
class TestWriting:
    def test_the_union_takes_the_name(self, archive: Path) -> None:
        with planned(archive, [2, 3]) as rewrite:
            write_rewrite(archive, rewrite, disk=REAL)

        assert archive.read_bytes() == channel_bytes([1, 2, 3])

    def test_a_taken_copy_replaces_the_stored_one(self, archive: Path) -> None:
        with planned(archive, [3], taken=(3,), content="newer") as rewrite:
            write_rewrite(archive, rewrite, disk=REAL)

        assert archive.read_bytes() == channel_bytes([1, 3], contents={3: "newer"})
        assert [edit.message_id for edit in rewrite.superseded] == ["3"]

    @pytest.mark.parametrize("stored", [[1, 3, 99], [0, 1, 3]])
    def test_a_file_that_lacks_a_stored_id_does_not_take_the_name(self, archive: Path, stored: list[int]) -> None:
        with planned(archive, [2]) as rewrite, pytest.raises(WouldLose, match="is missing"):
            write_rewrite(archive, dataclasses.replace(rewrite, stored_ids=array("Q", stored)), disk=REAL)

        assert ids_in(archive) == [1, 3]

    def test_a_file_with_another_count_does_not_take_the_name(self, archive: Path) -> None:
        with planned(archive, [2]) as rewrite, pytest.raises(WouldLose, match="3 messages in order, 4 expected"):
            write_rewrite(archive, dataclasses.replace(rewrite, message_count=4), disk=REAL)

        assert ids_in(archive) == [1, 3]

    def test_a_proof_of_the_callers_may_refuse_the_file(self, archive: Path) -> None:
        def refuse(_written: ChannelBytes) -> None:
            raise WouldLose(archive, "no")

        with planned(archive, [2]) as rewrite, pytest.raises(WouldLose):
            write_rewrite(archive, rewrite, disk=REAL, prove=refuse)

        assert ids_in(archive) == [1, 3]


@pytest.mark.contract("R-3.11")
@pytest.mark.parametrize("at", range(1, 6))
def test_a_death_at_any_call_leaves_old_or_new(archive: Path, at: int) -> None:
    with planned(archive, [2]) as rewrite:
        try:
            write_rewrite(archive, rewrite, disk=DyingDisk(at))
        except Dies:
            assert archive.read_bytes() in {channel_bytes([1, 3]), channel_bytes([1, 2, 3])}
        else:
            assert archive.read_bytes() == channel_bytes([1, 2, 3])
