from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dce_play.discord.archive.scan.channel_bytes import ChannelBytes, open_bytes


@given(
    data=st.binary(max_size=60),
    cut=st.integers(0, 60),
    tail=st.binary(max_size=20),
    at=st.integers(0, 90),
    size=st.integers(0, 90),
)
def test_bytes_under_a_tail_are_those_of_a_file_that_has_it(
    tmp_path_factory: pytest.TempPathFactory, data: bytes, cut: int, tail: bytes, at: int, size: int
) -> None:
    path = tmp_path_factory.mktemp("bytes") / "file"
    path.write_bytes(data)
    cut = min(cut, len(data))
    whole = data[:cut] + tail
    with path.open("rb") as file:
        channel = ChannelBytes(path, file.fileno(), len(whole), tail=tail)
        assert channel.read_at(size, at) == whole[at : at + size]
        assert b"".join(channel.blocks(at, len(whole))) == whole[at:]


def test_an_open_file_is_as_large_as_it_was_then(tmp_path: Path) -> None:
    path = tmp_path / "file"
    path.write_bytes(b"abc")
    with open_bytes(path) as channel, path.open("ab") as other:
        other.write(b"def")
        other.flush()
        assert channel.read_at(10, 0) == b"abc"
        assert channel.facts().size_bytes == 6
