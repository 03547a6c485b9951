"""Packing a long episode, whose bytes are written beside the compressing: nothing that goes wrong there is lost."""

import errno
import hashlib
import os
import resource
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from dce_play.transfer.ids import EpisodeId
from dce_play.transfer.sending.episodes.pack import EpisodeChanged, Packer


@pytest.fixture
def episode(tmp_path: Path) -> Path:
    folder = tmp_path / "ep-1"
    folder.mkdir()
    (folder / "a.bin").write_bytes(os.urandom(12 << 20))
    (folder / "meta.json").write_text("{}")
    return folder


@contextmanager
def files_end_at(size: int) -> Iterator[None]:
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)


def test_a_long_episode_is_what_tar_and_zstd_read_and_the_digest_is_of_what_lies_there(
    episode: Path, tmp_path: Path
) -> None:
    part = tmp_path / "part"
    packed = Packer(level=3, threads=2).pack(episode, EpisodeId("ep-1"), part, moved=lambda _: None)
    data = part.read_bytes()
    assert (packed.size, packed.sha256) == (len(data), hashlib.sha256(data).hexdigest())
    out = subprocess.run(["tar", "--zstd", "-xOf", part, "ep-1/a.bin"], check=True, capture_output=True).stdout
    assert out == (episode / "a.bin").read_bytes()


@pytest.mark.contract("S1", "S12")
@pytest.mark.parametrize("size", [1 << 20, 11 << 20])
def test_a_write_that_fails_beside_the_compressing_fails_the_packing_and_leaves_no_file(
    episode: Path, tmp_path: Path, size: int
) -> None:
    part = tmp_path / "part"
    with files_end_at(size), pytest.raises(OSError, match="too large") as caught:
        Packer(level=3, threads=2).pack(episode, EpisodeId("ep-1"), part, moved=lambda _: None)
    assert caught.value.errno == errno.EFBIG
    assert not part.exists()


def test_an_episode_that_changes_meanwhile_leaves_no_file_and_no_descriptor(episode: Path, tmp_path: Path) -> None:
    part = tmp_path / "part"
    before = len(list(Path("/proc/self/fd").iterdir()))

    def moved(count: int) -> None:
        if count > 1 << 16:
            (episode / "late").write_text("late")

    with pytest.raises(EpisodeChanged):
        Packer(level=3, threads=2).pack(episode, EpisodeId("ep-1"), part, moved=moved)
    assert not part.exists()
    assert len(list(Path("/proc/self/fd").iterdir())) == before
