import dataclasses
import re
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
from dce_play.system.durable.disk import REAL, Disk
from tests.support.channel_files import channel_bytes, ids_in, write_channel, write_large_channel
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
        assert list(rewrite.stored_ids) == [1, 3]

    def test_a_file_of_several_blocks_comes_out_whole(self, archive: Path) -> None:
        write_large_channel(archive, 10, 3000, channel_id="111")
        whole = archive.read_bytes()
        with planned(archive, [2]) as rewrite:
            write_rewrite(archive, rewrite, disk=REAL)

        ids = ids_in(archive)
        assert ids == [2, *range(10, 3010)]
        start = whole.index(b'    {\n      "id"')
        assert archive.read_bytes().endswith(whole[start:].replace(b'"messageCount": 3000', b'"messageCount": 3001'))

    def test_a_file_without_messages_has_an_empty_array(self, archive: Path) -> None:
        write_channel(archive, [])
        with planned(archive, []) as rewrite:
            write_rewrite(archive, rewrite, disk=REAL)

        assert archive.read_bytes() == channel_bytes([]).replace(b"[]", b"[\n  ]")

    def test_a_taken_copy_replaces_the_stored_one(self, archive: Path) -> None:
        with planned(archive, [3], taken=(3,), content="newer") as rewrite:
            write_rewrite(archive, rewrite, disk=REAL)

        assert archive.read_bytes() == channel_bytes([1, 3], contents={3: "newer"})
        assert [edit.message_id for edit in rewrite.superseded] == ["3"]

    @pytest.mark.parametrize(("stored", "lost"), [([1, 3, 99], 99), ([0, 1, 3], 0)])
    def test_a_file_that_lacks_a_stored_id_does_not_take_the_name(
        self, archive: Path, stored: list[int], lost: int
    ) -> None:
        with planned(archive, [2]) as rewrite, pytest.raises(WouldLose) as caught:
            write_rewrite(archive, dataclasses.replace(rewrite, stored_ids=array("Q", stored)), disk=REAL)

        assert str(caught.value) == f"rewriting {archive} would lose messages: message {lost} is missing"
        assert (caught.value.archive, caught.value.reason) == (archive, f"message {lost} is missing")
        assert caught.value.hint == (
            "the file was not changed; please report this with the output of `dce-play archive audit`"
        )
        assert ids_in(archive) == [1, 3]

    def test_a_file_with_another_count_does_not_take_the_name(self, archive: Path) -> None:
        told = re.escape(f"rewriting {archive} would lose messages: 3 messages in order, 4 expected")
        with planned(archive, [2]) as rewrite, pytest.raises(WouldLose, match=f"^{told}$"):
            write_rewrite(archive, dataclasses.replace(rewrite, message_count=4), disk=REAL)

        assert ids_in(archive) == [1, 3]

    def test_a_write_that_lied_does_not_take_the_name(self, archive: Path) -> None:
        class Forgetful(Disk):
            def write_at(self, descriptor: int, data: bytes, offset: int) -> None:
                super().write_at(descriptor, data.replace(b"message 2", b"massage 2"), offset)

        told = r"^\[Errno 5\] what was written is not what can be read back$"
        with planned(archive, [2]) as rewrite, pytest.raises(OSError, match=told):
            write_rewrite(archive, rewrite, disk=Forgetful())

        assert ids_in(archive) == [1, 3]

    def test_a_proof_of_the_callers_may_refuse_the_file(self, archive: Path) -> None:
        seen = []

        def refuse(written: ChannelBytes) -> None:
            seen.append(written.read_at(written.size_bytes, 0))
            raise WouldLose(archive, "no")

        with planned(archive, [2]) as rewrite, pytest.raises(WouldLose):
            write_rewrite(archive, rewrite, disk=REAL, prove=refuse)

        assert seen == [channel_bytes([1, 2, 3])]
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
