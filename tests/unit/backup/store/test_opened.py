"""Reading a backup again: the stored bytes and the stream in them are those that were written, or it is told."""

import gzip
import hashlib
from pathlib import Path

import msgspec
import pyrage
import pytest
import zstandard

from dce_play.backup.errors import BackupError, ErrorId
from dce_play.backup.manifest import Encryption, Manifest
from dce_play.backup.store.opened import StoredBackup, StoredSource
from dce_play.backup.streams import chunks
from tests.support.engine_services import EngineServices, files_manifest

DATA = b"what was written" * 100_000
SUM = hashlib.sha256(DATA).hexdigest()


@pytest.fixture
def path(tmp_path: Path) -> Path:
    found = tmp_path / "thing-20261128T220000Z.tar"
    found.write_bytes(DATA)
    return found


@pytest.fixture
def manifest(path: Path) -> Manifest:
    """Give the manifest of a backup that is neither packed nor encrypted."""
    made = files_manifest(path)
    return msgspec.structs.replace(made, sha256=SUM, plain_sha256=SUM)


@pytest.mark.contract("B5", "N2")
@pytest.mark.parametrize(
    ("data", "error_id", "message"),
    [
        (DATA[:-1], ErrorId.TRUNCATED, f"has {len(DATA) - 1} bytes, not {len(DATA)}"),
        (b"", ErrorId.TRUNCATED, "has 0 bytes"),
        (DATA + b"x", ErrorId.VERIFY_FAILED, f"has {len(DATA) + 1} bytes"),
        (DATA[:-1] + b"x", ErrorId.VERIFY_FAILED, "its sha256 differs"),
    ],
    ids=["cut", "emptied", "longer", "other bytes"],
)
def test_stored_bytes_that_are_others_are_told(path: Path, data: bytes, error_id: ErrorId, message: str) -> None:
    source = StoredSource(path, size_bytes=len(DATA), sha256=SUM)
    assert b"".join(chunks(source)) == DATA
    path.write_bytes(data)
    with pytest.raises(BackupError, match=message) as caught:
        list(chunks(StoredSource(path, size_bytes=len(DATA), sha256=SUM)))
    assert caught.value.error_id is error_id


@pytest.mark.contract("B5", "N2")
def test_what_nobody_read_is_looked_at_all_the_same(path: Path) -> None:
    path.write_bytes(DATA[:-1] + b"x")
    source = StoredSource(path, size_bytes=len(DATA), sha256=SUM)
    assert source.read(10) == DATA[:10]
    with pytest.raises(BackupError, match="its sha256 differs"):
        source.finish()


@pytest.mark.contract("N7")
def test_a_link_in_a_backups_place_is_not_read(path: Path) -> None:
    path.rename(path.with_name("elsewhere"))
    path.symlink_to("elsewhere")
    with pytest.raises(BackupError, match="cannot be read") as caught:
        StoredSource(path, size_bytes=len(DATA), sha256=SUM)
    assert caught.value.error_id is ErrorId.VERIFY_FAILED


@pytest.mark.contract("B5", "N2")
@pytest.mark.parametrize("other", [{"plain_bytes": len(DATA) - 1}, {"plain_sha256": "0" * 64}], ids=["length", "sum"])
def test_a_stream_that_is_another_than_was_written_is_told(
    path: Path, manifest: Manifest, other: dict[str, object]
) -> None:
    with StoredBackup(path, manifest, EngineServices()).plain() as source:
        assert b"".join(chunks(source)) == DATA
    told = msgspec.structs.replace(manifest, **other)
    with (
        StoredBackup(path, told, EngineServices()).plain() as source,
        pytest.raises(BackupError, match="is not what was written") as caught,
    ):
        list(chunks(source))
    assert caught.value.error_id is ErrorId.VERIFY_FAILED


@pytest.mark.contract("B5", "N2")
@pytest.mark.parametrize("kind", ["gzip", "zstd", "age"])
def test_stored_bytes_that_are_others_are_told_also_where_what_is_in_them_is_the_same(
    path: Path, manifest: Manifest, kind: str
) -> None:
    identity = pyrage.x25519.Identity.generate()
    path.with_name("key").write_text(str(identity))
    if kind == "age":
        stored: bytes = pyrage.encrypt(DATA, [identity.to_public()])
    else:
        stored = gzip.compress(DATA) if kind == "gzip" else zstandard.compress(DATA)
    path.write_bytes(stored)
    encryption = Encryption(kind="age", recipients=(str(identity.to_public()),)) if kind == "age" else None
    told = msgspec.structs.replace(
        manifest,
        bytes=len(stored),
        sha256=hashlib.sha256(stored).hexdigest(),
        compression=None if kind == "age" else kind,
        encryption=encryption,
    )
    key = f"file:{path.with_name('key')}"
    with StoredBackup(path, told, EngineServices(), identity=key).plain() as source:
        assert b"".join(chunks(source)) == DATA
    other = msgspec.structs.replace(told, sha256="0" * 64)
    with (
        StoredBackup(path, other, EngineServices(), identity=key).plain() as source,
        pytest.raises(BackupError, match="its sha256 differs") as caught,
    ):
        list(chunks(source))
    assert caught.value.error_id is ErrorId.VERIFY_FAILED
