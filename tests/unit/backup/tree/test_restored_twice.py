"""Two restores within one second: each puts aside what it finds, and neither takes the other's names."""

from pathlib import Path

import pytest

from dce_play.backup.definitions.model import FilesKeys, ModuleKeys
from dce_play.backup.engines.files.engine import ENGINE
from dce_play.backup.errors import BackupError
from tests.support.engine_services import EngineServices, Record, StoredBackup, module_of, take

STAMP, NEXT = "20261128T235959Z", "20261129T000000Z"


@pytest.fixture
def data(tmp_path: Path) -> Path:
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "a").write_text("stored")
    return tmp_path / "data"


def restore(stored: StoredBackup, data: Path) -> None:
    keys = ModuleKeys(name="kuma", files=FilesKeys(paths=(str(data),)))
    ENGINE.restore(stored, module_of(keys, engine="files", class_name="E"), EngineServices(), Record(stamp=STAMP))


@pytest.fixture
def stored(data: Path, tmp_path: Path) -> StoredBackup:
    keys = ModuleKeys(name="kuma", files=FilesKeys(paths=(str(data),)))
    return take(ENGINE, module_of(keys, engine="files", class_name="E"), EngineServices(), tmp_path / "stored.tar")


def found(data: Path) -> dict[str, str]:
    return {path.name: (path / "a").read_text() for path in data.parent.iterdir() if path.is_dir()}


@pytest.mark.contract("P9")
def test_each_puts_aside_what_it_finds(stored: StoredBackup, data: Path) -> None:
    for text in ("first", "second"):
        (data / "a").write_text(text)
        restore(stored, data)
    assert found(data) == {"data": "stored", f"data.before-{STAMP}": "first", f"data.before-{NEXT}": "second"}


@pytest.mark.contract("P9")
@pytest.mark.parametrize("name", [f"data.undone-{STAMP}", f".data.restore-{STAMP}", f"data.before-{STAMP}"])
def test_one_that_fails_removes_nothing_of_an_earlier_one(stored: StoredBackup, data: Path, name: str) -> None:
    (data.parent / name).mkdir()
    (data.parent / name / "a").write_text("an earlier one's")
    (data / "a").write_text("now")
    stored.path.write_bytes(stored.path.read_bytes()[:700])
    with pytest.raises(BackupError):
        restore(stored, data)
    assert found(data) == {"data": "now", name: "an earlier one's"}
