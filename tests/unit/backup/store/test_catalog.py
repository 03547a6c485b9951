"""What is no manifest by its size is none, and its backup is none of ours."""

import json
from pathlib import Path

from dce_play.backup.definitions.model import ModuleKeys
from dce_play.backup.facts import Consistency, EngineFacts, Produced, SourceFacts
from dce_play.backup.manifest import encode_manifest
from dce_play.backup.store.catalog import _LARGEST_MANIFEST_BYTES, read_entry
from dce_play.backup.store.names import manifest_name
from tests.support.engine_services import manifest_of, module_of


def test_a_manifest_is_so_large_at_most(tmp_path: Path) -> None:
    path = tmp_path / "thing-20261128T220000Z.tar"
    path.write_bytes(b"data")
    produced = Produced(
        engine=EngineFacts(name="files"),
        source=SourceFacts(kind="path", where="/srv"),
        format="tar",
        consistency=Consistency.LIVE,
        counts={"files": 1},
    )
    manifest = encode_manifest(
        manifest_of(produced, module_of(ModuleKeys(name="thing"), engine="files", class_name="E"), path)
    )
    beside = tmp_path / manifest_name(path.name)
    assert json.loads(manifest)["file"] == path.name
    beside.write_bytes(manifest.rstrip(b"\n").ljust(_LARGEST_MANIFEST_BYTES))
    found = read_entry(path)
    assert found is not None
    assert found.path == path
    beside.write_bytes(manifest.rstrip(b"\n").ljust(_LARGEST_MANIFEST_BYTES + 1))
    assert read_entry(path) is None
