"""Where a backup goes: under a name that nothing has, and only where the last good one would find room."""

from datetime import UTC, datetime
from pathlib import Path

import msgspec
import pytest

from dce_play.backup.definitions.model import MeilisearchKeys, ModuleKeys
from dce_play.backup.engines.meilisearch.engine import DumpSource
from dce_play.backup.errors import BackupError, ErrorId
from dce_play.backup.facts import Consistency, EngineFacts, Produced, SourceFacts
from dce_play.backup.store.catalog import Entry
from dce_play.backup.take.place import free_name, refuse_without_room
from dce_play.system.clock import SystemClock
from dce_play.system.disk import disk_space
from tests.support.engine_services import EngineServices, manifest_of, module_of
from tests.support.fakes import FakeClock


@pytest.mark.contract("N9")
def test_a_module_whose_last_good_backup_would_find_no_room_is_refused(tmp_path: Path) -> None:
    module = module_of(ModuleKeys(name="karakeep-meilisearch"), engine="meilisearch", class_name="F")
    source = DumpSource(MeilisearchKeys(), EngineServices(), folder=tmp_path, key="")
    path = tmp_path / "karakeep-meilisearch-20261128T220000Z.dump"
    path.touch()
    produced = Produced(
        engine=EngineFacts(name="meilisearch"),
        source=SourceFacts(kind="endpoint", where="http://127.0.0.1"),
        format="dump",
        consistency=Consistency.ENGINE,
        counts={},
    )
    manifest = manifest_of(produced, module, path)
    free = disk_space(tmp_path).free_bytes

    def last_one_had(size: int) -> Entry:
        told = msgspec.structs.replace(manifest, bytes=size)
        return Entry(path=path, manifest=told, stored_bytes=size, ended=SystemClock().now())

    refuse_without_room(module, source, tmp_path, None)
    refuse_without_room(module, source, tmp_path, last_one_had(free // 2))
    with pytest.raises(BackupError, match=f"needs about {2 * free}") as caught:
        refuse_without_room(module, source, tmp_path, last_one_had(2 * free))
    assert (caught.value.error_id, caught.value.exit_code) == (ErrorId.NO_SPACE, 4)


@pytest.mark.contract("B2")
@pytest.mark.parametrize("taken", ["dump", "dump.manifest.json", "tar.gz", "tar.gz.manifest.json"])
def test_a_second_of_which_anything_has_the_name_is_passed_over(tmp_path: Path, taken: str) -> None:
    module = module_of(ModuleKeys(name="karakeep-meilisearch"), engine="meilisearch", class_name="F")
    source = DumpSource(MeilisearchKeys(), EngineServices(), folder=tmp_path, key="")
    clock = FakeClock(datetime(2026, 11, 28, 22, 0, 0, 500_000, tzinfo=UTC))
    (tmp_path / "karakeep-meilisearch-20261128T215959Z.dump").touch()
    (tmp_path / "karakeep-20261128T220000Z.dump").touch()
    assert free_name(module, source, (), tmp_path, clock)[1] == "karakeep-meilisearch-20261128T220000Z.dump"
    (tmp_path / f"karakeep-meilisearch-20261128T220000Z.{taken}").symlink_to("nowhere")
    moment, name = free_name(module, source, (), tmp_path, clock)
    assert (moment.second, name) == (1, "karakeep-meilisearch-20261128T220001Z.dump")
