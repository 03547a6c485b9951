"""A tar of the custom format without a database's dump is not what it says itself, nor what its manifest says."""

import io
import json
import tarfile
from collections.abc import Iterator
from pathlib import Path

import msgspec
import pytest

from dce_play.backup.engines.postgres.engine import ENGINE
from dce_play.backup.errors import BackupError, ErrorId
from tests.support.engine_services import EngineServices, StoredBackup, check, take
from tests.support.postgres_server import Postgres


@pytest.fixture
def stored(own_postgres: Postgres, tmp_path: Path) -> Iterator[StoredBackup]:
    """Give a backup of four databases, two of which are empty."""
    own_postgres.sql("CREATE DATABASE bare")
    own_postgres.sql("CREATE DATABASE other")
    yield take(ENGINE, own_postgres.module(format="custom"), EngineServices(), tmp_path / "dump")
    own_postgres.sql("DROP DATABASE bare")
    own_postgres.sql("DROP DATABASE other")


def without_bare(whole: bytes, *, told_by: str) -> bytes:
    """Return the tar without the dump of ``bare``, and without what else in it tells that it should be there."""
    out = io.BytesIO()
    with tarfile.open(fileobj=io.BytesIO(whole)) as old, tarfile.open(fileobj=out, mode="w") as new:
        for info in old:
            stream = old.extractfile(info)
            assert stream is not None
            data = stream.read()
            if info.name == "counts.json" and told_by != "its counts":
                data = json.dumps({**json.loads(data), "databases": 3}).encode()
            if info.name == "databases.json" and told_by != "its list":
                data = json.dumps([each for each in json.loads(data) if each["name"] != "bare"]).encode()
            info.size = len(data)
            if info.name != "databases/bare.dump":
                new.addfile(info, io.BytesIO(data))
        end = new.offset
    return out.getvalue()[:end] + bytes(1024)


@pytest.mark.contract("P6", "N3")
@pytest.mark.parametrize(
    ("told_by", "error_id", "message"),
    [
        ("its list", ErrorId.INCOMPLETE, "the dump lacks the databases 'bare'"),
        ("its counts", ErrorId.VERIFY_FAILED, "the dump has 3 databases, its manifest says 4"),
        ("the manifest", ErrorId.VERIFY_FAILED, "the dump has 3 databases, its manifest says 4"),
    ],
)
def test_a_database_whose_dump_is_gone_is_missed_by_whatever_still_tells_of_it(
    stored: StoredBackup, told_by: str, error_id: ErrorId, message: str
) -> None:
    assert stored.manifest.counts["databases"] == 4
    stored.path.write_bytes(without_bare(stored.path.read_bytes(), told_by=told_by))
    if told_by != "the manifest":
        stored.manifest = msgspec.structs.replace(stored.manifest, counts={})
    with pytest.raises(BackupError, match=message) as caught:
        check(ENGINE, stored, EngineServices())
    assert caught.value.error_id is error_id


@pytest.mark.contract("P6", "N2")
def test_an_archive_that_does_not_end_with_its_counts_is_not_whole(stored: StoredBackup) -> None:
    whole = stored.path.read_bytes()
    with tarfile.open(fileobj=io.BytesIO(whole)) as archive:
        end = archive.getmember("counts.json").offset
    stored.path.write_bytes(whole[:end] + bytes(1024))
    with pytest.raises(BackupError, match=r"its last member is databases/.*\.dump") as caught:
        check(ENGINE, stored, EngineServices())
    assert caught.value.error_id is ErrorId.TRUNCATED
