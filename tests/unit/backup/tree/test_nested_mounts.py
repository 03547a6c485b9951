"""A container that mounts one volume below another: each is archived once, at its own place, and comes back there."""

from pathlib import Path

import pytest

from dce_play.backup.definitions.model import ModuleKeys
from dce_play.backup.engines.files.engine import ENGINE
from dce_play.backup.errors import BackupError, ErrorId
from dce_play.backup.protocols import Container, DrillOptions, Mounted
from tests.support.engine_services import EngineServices, Record, module_of, take

STAMP = "20261128T235959Z"


def services_of(*mounts: tuple[Path, str]) -> EngineServices:
    """Return services whose container mounts these folders at these places."""
    found = Container(
        program=("podman",), id="1", name="kuma", image="i", image_digest="", running=False, paused=False, healthy="",
        mounts=tuple(Mounted(source=str(source), destination=place, type="volume") for source, place in mounts),
        labels={},
    )  # fmt: skip
    return EngineServices(container_found=found)


@pytest.fixture
def mounts(tmp_path: Path) -> tuple[tuple[Path, str], ...]:
    """Give two volumes; in the first lies the empty folder that the second is mounted over."""
    (tmp_path / "outer" / "sub").mkdir(parents=True)
    (tmp_path / "inner").mkdir()
    (tmp_path / "outer" / "a").write_text("of the outer")
    (tmp_path / "inner" / "b").write_text("of the inner")
    return (tmp_path / "outer", "/data"), (tmp_path / "inner", "/data/sub")


def test_each_is_drilled_and_comes_back_in_place_and_in_a_folder(
    mounts: tuple[tuple[Path, str], ...], tmp_path: Path
) -> None:
    services, module = services_of(*mounts), module_of(ModuleKeys(name="kuma"), engine="files", class_name="E")
    stored = take(ENGINE, module, services, tmp_path / "stored.tar")
    assert ENGINE.drill(stored, services, DrillOptions()).differences == ()
    (tmp_path / "inner" / "b").write_text("newer")
    ENGINE.restore(stored, module, services, Record(stamp=STAMP))
    assert (tmp_path / "inner" / "b").read_text() == "of the inner"
    assert (tmp_path / "outer" / "a").read_text() == "of the outer"
    (tmp_path / "into").mkdir()
    ENGINE.restore_into(stored, tmp_path / "into", services)
    found = {str(path.relative_to(tmp_path / "into")) for path in (tmp_path / "into").rglob("*") if path.is_file()}
    assert found == {"data/a", "data/sub/b"}


def test_one_volume_at_two_places_is_not_restored_over_itself(tmp_path: Path) -> None:
    (tmp_path / "volume").mkdir()
    (tmp_path / "volume" / "a").write_text("kept")
    services = services_of((tmp_path / "volume", "/one"), (tmp_path / "volume", "/two"))
    module = module_of(ModuleKeys(name="kuma"), engine="files", class_name="E")
    stored = take(ENGINE, module, services, tmp_path / "stored.tar")
    with pytest.raises(BackupError, match="would be replaced twice") as caught:
        ENGINE.restore(stored, module, services, Record(stamp=STAMP))
    assert caught.value.error_id is ErrorId.AMBIGUOUS
    assert [path.name for path in tmp_path.iterdir() if path.is_dir()] == ["volume"]
