"""What tells of a backup: a manifest of a sensible size, of this very file, at a time that can be compared."""

import json
from pathlib import Path

import msgspec
import pytest

from dce_play.backup.manifest import CheckRecord, Manifest, Verification, encode_manifest
from dce_play.backup.store.catalog import _LARGEST_MANIFEST_BYTES, read_entry
from dce_play.backup.store.names import manifest_name
from tests.support.engine_services import files_manifest


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """Give a data file."""
    found = tmp_path / "thing-20261128T220000Z.tar"
    found.write_bytes(b"data")
    return found


@pytest.fixture
def manifest(path: Path) -> Manifest:
    """Give what its manifest would be."""
    return files_manifest(path, files=1)


def test_a_manifest_is_so_large_at_most(path: Path, manifest: Manifest) -> None:
    data = encode_manifest(manifest)
    beside = path.with_name(manifest_name(path.name))
    assert json.loads(data)["file"] == path.name
    beside.write_bytes(data.rstrip(b"\n").ljust(_LARGEST_MANIFEST_BYTES))
    found = read_entry(path)
    assert found is not None
    assert found.path == path
    beside.write_bytes(data.rstrip(b"\n").ljust(_LARGEST_MANIFEST_BYTES + 1))
    assert read_entry(path) is None


@pytest.mark.contract("B2", "N11")
@pytest.mark.parametrize(
    "other",
    [
        {"module": "other"},
        {"file": "thing-20261128T220001Z.tar"},
        {"ended": "2026-11-28T22:00:01"},
        {"ended": "soon"},
        {"schema": "dce-play/backup-manifest/2"},
    ],
    ids=["another module", "another file", "no time zone", "no time", "another schema"],
)
def test_a_manifest_that_tells_of_something_else_makes_no_backup(
    path: Path, manifest: Manifest, other: dict[str, str]
) -> None:
    beside = path.with_name(manifest_name(path.name))
    beside.write_bytes(encode_manifest(manifest))
    assert read_entry(path) is not None
    beside.write_bytes(encode_manifest(msgspec.structs.replace(manifest, **other)))
    assert read_entry(path) is None


@pytest.mark.contract("N11")
@pytest.mark.parametrize(
    ("level", "checks", "is_good"),
    [
        (2, [("contents", True)], True),
        (2, [("contents", True), ("drill", False)], False),
        (2, [("contents", False), ("contents", True)], True),
        (2, [("contents", True), ("contents", False)], False),
        (0, [("contents", True)], False),
        (4, [("contents", True)], False),
    ],
)
def test_a_backup_is_good_when_no_check_has_failed_since_it_passed(
    path: Path, manifest: Manifest, level: int, checks: list[tuple[str, bool]], is_good: bool
) -> None:
    told = tuple(CheckRecord(id=name, ok=ok, at="2026-11-28T22:00:01Z") for name, ok in checks)
    verification = Verification(level=level, good=True, checks=told)
    path.with_name(manifest_name(path.name)).write_bytes(
        encode_manifest(msgspec.structs.replace(manifest, verification=verification))
    )
    found = read_entry(path)
    assert found is not None
    assert found.is_good is is_good
