"""Large archives in little memory: one file of 320 MiB, and what each command needs at most."""

import os
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.channel_files import write_large_channel
from tests.support.operators import ROOM
from tests.support.processes import peak_mib

MESSAGES = 350_000
LIMIT_MIB = 256


def peak(folder: Path, *words: str | Path) -> int:
    """Run ``dce-play archive …`` and return how much memory it had at most, in MiB."""
    environment = {"PATH": os.environ["PATH"], "HOME": str(folder), "PYTHONPATH": str(Path(__file__).parents[2])}
    return peak_mib([sys.executable, "-m", "dce_play", "archive", *words], cwd=folder, env=environment)


@pytest.fixture(scope="module")
def large(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A target's folder with one large channel file; gone afterwards."""
    folder = tmp_path_factory.mktemp("large") / "root" / "demo"
    path = write_large_channel(folder / f"room [{ROOM}].json", 1, MESSAGES, channel_id=ROOM)
    assert path.stat().st_size > 300 << 20
    yield folder
    for file in folder.parent.rglob("*.json"):
        file.unlink()


@pytest.mark.slow
@pytest.mark.contract("R-3.09", "R-4.08", "R-7.11", "R-10.04", "R-15.07", "R-16.03", "D-39", "D-51")
@pytest.mark.parametrize("command", ["audit", "snapshot", "cursor", "append", "merge", "salvage"])
def test_memory_does_not_grow_with_the_archive(large: Path, command: str) -> None:
    room = large / f"room [{ROOM}].json"
    folder = large.parent.parent
    delta = write_large_channel(folder / "delta.json", MESSAGES + 1, 1000, channel_id=ROOM)
    match command:
        case "audit":
            used = peak(folder, "audit", "--full", "root")
        case "snapshot":
            used = peak(folder, "snapshot", "root", "--output", "snapshot.json")
        case "cursor":
            used = peak(folder, "cursor", room)
        case "append":
            used = peak(folder, "append", room, delta)
        case "merge":
            used = peak(folder, "merge", "--into", "merged.json", room, delta)
        case _:
            place = large / ".dce-temp" / f"export.{ROOM}.abcdef" / "export.json"
            write_large_channel(place, MESSAGES + 1001, MESSAGES, channel_id=ROOM)
            os.truncate(place, place.stat().st_size - 300)
            os.utime(place, (1, 1))
            used = peak(folder, "salvage", "--root", "root")
            assert not place.exists()
    assert used < LIMIT_MIB
