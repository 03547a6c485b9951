"""Reading what was compressed: all of it, in small pieces, and nothing that is cut or damaged passes for whole."""

import gzip
from pathlib import Path

import pytest
import zstandard

from dce_play.backup.errors import BackupError, ErrorId
from dce_play.backup.filters.compression import GZIP, ZSTD, compression
from dce_play.backup.streams import CHUNK_BYTES, chunks
from tests.support.engine_services import EngineServices, FileSource

DATA = b"".join(b"line %d of a file that is packed\n" % number for number in range(20_000))


def read(path: Path, kind: str) -> bytes:
    source = compression(kind, EngineServices()).reading(FileSource(path))
    try:
        return b"".join(chunks(source))
    finally:
        source.abort()


def refused(path: Path, kind: str) -> ErrorId:
    with pytest.raises(BackupError) as caught:
        read(path, kind)
    return caught.value.error_id


@pytest.mark.contract("B5", "N2")
def test_several_gzip_members_are_one_stream(tmp_path: Path) -> None:
    path = tmp_path / "x.gz"
    path.write_bytes(gzip.compress(DATA) + gzip.compress(b"") + gzip.compress(b"more"))
    assert read(path, GZIP) == DATA + b"more"


@pytest.mark.contract("B5", "N2")
@pytest.mark.parametrize("left", [0, 1, 10, 1000, -8, -1])
def test_a_gzip_stream_that_is_cut_is_truncated(tmp_path: Path, left: int) -> None:
    path = tmp_path / "x.gz"
    path.write_bytes(gzip.compress(DATA)[:left])
    assert refused(path, GZIP) is ErrorId.TRUNCATED
    path.write_bytes(gzip.compress(DATA) + gzip.compress(DATA)[: left or 1])
    assert refused(path, GZIP) is ErrorId.TRUNCATED


@pytest.mark.contract("B5")
@pytest.mark.parametrize("at", [0, 2000, -6, -2])
def test_a_bit_that_flips_in_a_gzip_stream_is_found(tmp_path: Path, at: int) -> None:
    path = tmp_path / "x.gz"
    data = bytearray(gzip.compress(DATA))
    data[at] ^= 1
    path.write_bytes(data)
    assert refused(path, GZIP) is ErrorId.VERIFY_FAILED


@pytest.mark.contract("B5")
@pytest.mark.parametrize(("kind", "packed"), [(GZIP, gzip.compress(DATA)), (ZSTD, zstandard.compress(DATA))])
def test_what_stands_behind_the_end_is_no_part_of_it(tmp_path: Path, kind: str, packed: bytes) -> None:
    path = tmp_path / "x"
    path.write_bytes(packed + b"rubbish")
    assert refused(path, kind) is ErrorId.VERIFY_FAILED


@pytest.mark.contract("B11")
@pytest.mark.parametrize("kind", [GZIP, ZSTD])
def test_a_few_bytes_that_become_many_come_in_pieces(tmp_path: Path, kind: str) -> None:
    path = tmp_path / "x"
    many = bytes(64 << 20)
    path.write_bytes(gzip.compress(many) if kind == GZIP else zstandard.compress(many))
    source = compression(kind, EngineServices()).reading(FileSource(path))
    total = 0
    while data := source.read(CHUNK_BYTES):
        assert len(data) <= CHUNK_BYTES
        total += len(data)
    source.finish()
    assert total == len(many)
