"""Class F against a stub of the dumps API (it is a stub: no Meilisearch is to be had): states, delays, failures."""

import gzip
import io
import tarfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from dce_play.backup.definitions.model import MeilisearchKeys, Module, ModuleKeys
from dce_play.backup.engines.meilisearch.dump import _LARGEST_METADATA_BYTES, read_dump
from dce_play.backup.engines.meilisearch.engine import ENGINE
from dce_play.backup.engines.meilisearch.server import _LONGEST_PAUSE_S
from dce_play.backup.errors import BackupError, ErrorId
from dce_play.backup.facts import Consistency, Health
from dce_play.backup.protocols import DrillOptions
from tests.support.engine_services import EngineServices, FileSink, Record, StoredBackup, check, module_of, take
from tests.support.fakes import FakeClock
from tests.support.meilisearch_stub import KEY, MeilisearchStub, add, meilisearch_stub
from tests.support.real_engines import free_ports


@pytest.fixture
def stub(tmp_path: Path) -> Iterator[MeilisearchStub]:
    """Give a stub with two indexes and five documents."""
    (tmp_path / "dumps").mkdir()
    with meilisearch_stub(tmp_path / "dumps") as running:
        yield running


def services(key: str = KEY) -> EngineServices:
    return EngineServices(environment={"MEILI_KEY": key, "PATH": "/usr/bin:/bin"})


def module_at(url: str, folder: Path, *, timeout: float = 60.0) -> Module:
    keys = MeilisearchKeys(url=url, key="env:MEILI_KEY", dump_folder=str(folder), timeout=timeout)
    return module_of(ModuleKeys(name="karakeep-meilisearch", meilisearch=keys), engine="meilisearch", class_name="F")


def taken(stub: MeilisearchStub, path: Path, *, key: str = KEY, timeout: float = 60.0) -> StoredBackup:
    return take(ENGINE, module_at(stub.url, stub.dumps, timeout=timeout), services(key), path)


def refused(stub: MeilisearchStub, path: Path, *, key: str = KEY, timeout: float = 60.0) -> BackupError:
    with pytest.raises(BackupError) as caught:
        taken(stub, path, key=key, timeout=timeout)
    return caught.value


class GrowingSink(FileSink):
    """A sink at whose first byte the dump that is read has more at its end, and is a whole dump all the same."""

    def __init__(self, path: Path, dumps: Path) -> None:
        super().__init__(path)
        self._dumps = dumps
        self._has_grown = False

    def write(self, data: "bytes | memoryview", /) -> None:
        super().write(data)
        if not self._has_grown:
            self._has_grown = True
            with next(self._dumps.iterdir()).open("ab") as file:
                file.write(gzip.compress(bytes(512)))


@pytest.mark.contract("L1")
def test_a_dump_that_grows_while_it_is_read_is_no_backup(stub: MeilisearchStub, tmp_path: Path) -> None:
    sink = GrowingSink(tmp_path / "f.dump", stub.dumps)
    with (
        ENGINE.open(module_at(stub.url, stub.dumps), services(), dry_run=False, excluding=tmp_path) as source,
        pytest.raises(BackupError, match="changed while it was read") as caught,
    ):
        source.produce(sink, quiesced=False)
    sink.abort()
    assert caught.value.error_id is ErrorId.CHANGED


@pytest.mark.contract("L1")
def test_a_dump_is_copied_as_it_is_and_counted(stub: MeilisearchStub, tmp_path: Path) -> None:
    backup = taken(stub, tmp_path / "f.dump")
    (left,) = stub.dumps.iterdir()
    assert backup.path.read_bytes() == left.read_bytes()
    manifest = backup.manifest
    assert (manifest.counts, manifest.consistency) == ({"documents": 5, "indexes": 2}, Consistency.ENGINE)
    assert manifest.engine.server_version == "1.9.0"
    module = module_at(stub.url, stub.dumps)
    assert ENGINE.probe(module, services(), timeout_s=5.0) is Health.HEALTHY
    stub.status = "starting"
    assert ENGINE.probe(module, services(), timeout_s=5.0) is Health.UNHEALTHY


@pytest.mark.contract("L2", "N1")
@pytest.mark.parametrize("ends", ["failed", "canceled"])
def test_a_dump_that_did_not_succeed_is_a_failure(stub: MeilisearchStub, tmp_path: Path, ends: str) -> None:
    stub.ends = ends
    error = refused(stub, tmp_path / "f.dump")
    assert (error.error_id, error.exit_code) == (ErrorId.ENGINE_FAILED, 1)
    assert "no room for the dump" in str(error)


@pytest.mark.contract("L2")
def test_a_dump_that_takes_too_long_is_given_up(stub: MeilisearchStub, tmp_path: Path) -> None:
    stub.polls = 10**6
    assert refused(stub, tmp_path / "f.dump", timeout=0.5).error_id is ErrorId.TIMEOUT


@pytest.mark.contract("L2")
def test_a_key_that_is_not_accepted_is_exit_7(stub: MeilisearchStub, tmp_path: Path) -> None:
    error = refused(stub, tmp_path / "f.dump", key="another-key")
    assert (error.error_id, error.exit_code) == (ErrorId.AUTH, 7)
    assert "another-key" not in f"{error}{error.hint}"


@pytest.mark.contract("L2")
def test_nobody_there_is_unreachable(stub: MeilisearchStub, tmp_path: Path) -> None:
    module = module_at(f"http://127.0.0.1:{free_ports(1)[0]}", stub.dumps)
    with pytest.raises(BackupError) as caught:
        take(ENGINE, module, services(), tmp_path / "f.dump")
    assert (caught.value.error_id, caught.value.exit_code) == (ErrorId.UNREACHABLE, 4)


@pytest.mark.contract("L2")
def test_a_dump_that_is_not_where_it_should_be_is_not_found(stub: MeilisearchStub, tmp_path: Path) -> None:
    stub.no_file = True
    error = refused(stub, tmp_path / "f.dump")
    assert (error.error_id, error.exit_code) == (ErrorId.NOT_FOUND, 1)
    assert "dump_folder" in error.hint


@pytest.mark.contract("L3", "N2")
@pytest.mark.parametrize("left", [0, 30, -1, -8])
def test_a_dump_that_is_cut_is_truncated(stub: MeilisearchStub, tmp_path: Path, left: int) -> None:
    stub.cut = left
    assert refused(stub, tmp_path / "f.dump").error_id is ErrorId.TRUNCATED


@pytest.mark.contract("L3")
@pytest.mark.parametrize(("more", "fine"), [(0, True), (1, False)])
def test_a_dumps_metadata_are_so_large_at_most(more: int, fine: bool) -> None:
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w") as archive:
        add(archive, "metadata.json", b'{"dbVersion": "1.9.0"}'.ljust(_LARGEST_METADATA_BYTES + more))
    dump = io.BytesIO(gzip.compress(out.getvalue(), compresslevel=1))
    if fine:
        assert read_dump(dump).server_version == "1.9.0"
    else:
        with pytest.raises(BackupError, match=r"metadata\.json is larger than a dump's can be") as caught:
            read_dump(dump)
        assert caught.value.error_id is ErrorId.VERIFY_FAILED


@pytest.mark.contract("L2")
def test_a_dump_is_asked_for_at_least_so_often(stub: MeilisearchStub, tmp_path: Path) -> None:
    stub.polls = 12
    clock = FakeClock()
    patient = EngineServices(environment={"MEILI_KEY": KEY, "PATH": "/usr/bin:/bin"}, clock=clock)
    take(ENGINE, module_at(stub.url, stub.dumps), patient, tmp_path / "f.dump")
    assert max(clock.sleeps) == _LONGEST_PAUSE_S


@pytest.mark.contract("L4", "N3")
@pytest.mark.parametrize("in_dump", [{"movies": 3}, {"movies": 3, "books": 1}], ids=["an index", "a document"])
def test_what_is_left_out_of_a_dump_is_incomplete(
    stub: MeilisearchStub, tmp_path: Path, in_dump: dict[str, int]
) -> None:
    stub.in_dump = in_dump
    error = refused(stub, tmp_path / "f.dump")
    assert (error.error_id, error.exit_code) == (ErrorId.INCOMPLETE, 1)


@pytest.mark.contract("L4")
def test_a_check_and_a_drill_count_again(stub: MeilisearchStub, tmp_path: Path) -> None:
    backup = taken(stub, tmp_path / "f.dump")
    drilled = ENGINE.drill(backup, services(), DrillOptions())
    assert (drilled.expected, drilled.restored, drilled.level) == (backup.manifest.counts, backup.manifest.counts, 2)
    assert "not imported" in drilled.note
    backup.manifest.counts["documents"] = 6
    assert [each.what for each in ENGINE.drill(backup, services(), DrillOptions()).differences] == ["documents"]
    with pytest.raises(BackupError) as caught:
        check(ENGINE, backup, services())
    assert caught.value.error_id is ErrorId.VERIFY_FAILED


@pytest.mark.contract("L5")
def test_a_restore_writes_the_dump_and_tells_the_command(stub: MeilisearchStub, tmp_path: Path) -> None:
    backup = taken(stub, tmp_path / "karakeep-meilisearch-20261128T220000Z.dump")
    folder = tmp_path / "into"
    folder.mkdir()
    module = module_at(stub.url, stub.dumps)
    plan = {item.what: item.detail for item in ENGINE.plan_restore(backup, module, services(), into=folder)}
    ENGINE.restore_into(backup, folder, services())
    (written,) = folder.iterdir()
    assert f"--import-dump {written} " in plan["command"]
    assert written.read_bytes() == backup.path.read_bytes()
    with pytest.raises(BackupError) as caught:
        ENGINE.restore(backup, module, services(), Record(stamp="20261128T220000Z", replace=True))
    assert caught.value.error_id is ErrorId.USAGE
