"""Several targets of one module: one that fails keeps none of the others from its copy, and is told."""

import hashlib
from pathlib import Path

import msgspec
import pytest

from dce_play.backup.definitions.model import Module, ModuleKeys, S3Keys, TargetKeys
from dce_play.backup.errors import BackupError, ErrorId
from dce_play.backup.facts import Consistency, EngineFacts, Produced, SourceFacts
from dce_play.backup.manifest import encode_manifest
from dce_play.backup.store.catalog import read_entry
from dce_play.backup.store.names import manifest_name
from dce_play.backup.targets.upload import upload_all
from tests.support.engine_services import EngineServices, manifest_of, module_of
from tests.support.real_engines import SeaweedFS, free_ports


def module_with(*places: tuple[int, str, str]) -> Module:
    """Return a module with a target at each port, in a bucket, by a key."""
    targets = tuple(
        TargetKeys(
            s3=S3Keys(
                endpoint=f"http://127.0.0.1:{port}",
                bucket=bucket,
                access_key=f"env:{key}",
                secret_key=f"env:{key}_SECRET",
            )
        )
        for port, bucket, key in places
    )
    return module_of(ModuleKeys(name="thing", targets=targets), engine="files", class_name="E")


@pytest.mark.contract("E5", "E7", "N1")
@pytest.mark.parametrize("why", ["nobody answers", "it may only be read"])
def test_a_target_that_fails_is_told_once_the_others_have_their_copies(
    seaweed: SeaweedFS, tmp_path: Path, why: str
) -> None:
    services = EngineServices(
        environment={
            "ADMIN": seaweed.admin[0], "ADMIN_SECRET": seaweed.admin[1],
            "READER": seaweed.reader[0], "READER_SECRET": seaweed.reader[1],
        }
    )  # fmt: skip
    bad, good = seaweed.new_bucket(), seaweed.new_bucket()
    names = bad.place.bucket, good.place.bucket
    failing = (free_ports(1)[0], names[0], "ADMIN") if why == "nobody answers" else (seaweed.port, names[0], "READER")
    module = module_with(failing, (seaweed.port, names[1], "ADMIN"))
    path = tmp_path / "thing-20261128T220000Z.tar.gz"
    path.write_bytes(b"data")
    produced = Produced(
        engine=EngineFacts(name="files"),
        source=SourceFacts(kind="path", where="/srv"),
        format="tar",
        consistency=Consistency.LIVE,
        counts={},
    )
    manifest = msgspec.structs.replace(manifest_of(produced, module, path), sha256=hashlib.sha256(b"data").hexdigest())
    path.with_name(manifest_name(path.name)).write_bytes(encode_manifest(manifest))
    with pytest.raises(BackupError) as caught:
        upload_all(path, module, services)
    assert (caught.value.error_id, caught.value.exit_code) == (ErrorId.UPLOAD_FAILED, 1)
    entry = read_entry(path)
    assert entry is not None
    assert entry.is_good
    assert [copy.target for copy in entry.manifest.remote] == [f"s3://{names[1]}"]
    assert [each.key for page in good.pages() for each in page] == [path.name, manifest_name(path.name)]
    assert [each.key for page in bad.pages() for each in page] == []
