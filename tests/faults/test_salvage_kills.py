"""A salvage that is killed at each of its file calls, and then run again, leaves what an undisturbed one leaves."""

import os
import shutil
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from dce_play.discord.archive.folder.channel_map import ChannelMap, load_map
from dce_play.discord.archive.folder.temps import list_temps
from dce_play.discord.archive.salvage.salvage import salvage_target
from dce_play.layout import TargetLayout
from dce_play.system.clock import SystemClock
from tests.support import forked
from tests.support.channel_files import channel_bytes, write_channel

pytestmark = [pytest.mark.strace, pytest.mark.slow]

ROOM = "1573508731788951644"
CALLS = ("pwrite64", "fsync", "rename", "unlink", "rmdir", "mkdir", "link", "linkat", "ftruncate")
MOST_CALLS = 40


def truncated(ids: list[int]) -> bytes:
    data = channel_bytes([*ids, 99], channel_id=ROOM)
    return data[: data.rindex(b'"author"') + 20]


def leave(folder: Path, name: str, data: bytes, *, age_s: int) -> None:
    place = folder / ".dce-temp" / name
    place.mkdir(parents=True)
    (place / "export.json").write_bytes(data)
    os.utime(place / "export.json", (1_700_000_000 - age_s, 1_700_000_000 - age_s))


def grow(folder: Path) -> None:
    """An archive, and two exports of its channel."""
    write_channel(folder / f"Fixture [{ROOM}].json", [1, 2], channel_id=ROOM)
    leave(folder, f"export.{ROOM}.aaa", truncated([2, 3]), age_s=20)
    leave(folder, f"export.{ROOM}.bbb", truncated([3, 4]), age_s=10)


def begin(folder: Path) -> None:
    """No archive yet; the export is truncated and must be made whole first."""
    leave(folder, f"export.{ROOM}.aaa", truncated([1, 2]), age_s=10)


def refuse(folder: Path) -> None:
    """Exports that go into quarantine, and one that goes away."""
    write_channel(folder / f"Fixture [{ROOM}].json", [1, 2], channel_id=ROOM)
    leave(folder, f"export.{ROOM}.aaa", b"garbage", age_s=10)
    leave(folder, f"export.{ROOM}.bbb", channel_bytes([5], channel_id="999"), age_s=10)
    leave(folder, f"export.{ROOM}.ccc", b"", age_s=10)


def outcome(folder: Path) -> tuple[object, ...]:
    """Return what the salvage came to, without what differs from run to run (times, ids, random names)."""
    layout = TargetLayout(folder)
    ChannelMap(layout).bootstrap()  # as every run does first; it finds an archive that was made but not yet mapped
    archives = {path.name: path.read_bytes() for path in folder.glob("*.json")}
    kept = sorted((path.parent.name, path.read_bytes()) for path in layout.quarantine.glob("*/export.json"))
    mapped = {channel_id: path.name for channel_id, path in load_map(layout).items()}
    stray = [path.name for path in folder.iterdir() if path.name not in archives and path.name[:5] != ".dce-"]
    return archives, kept, mapped, list_temps(layout), stray


@pytest.mark.contract("R-4.17", "R-4.16", "R-2.08")
@pytest.mark.parametrize("scene", [grow, begin, refuse])
@pytest.mark.parametrize("call", CALLS)
def test_killed_at_any_call_and_run_again_it_comes_to_the_same(
    scene: Callable[[Path], None], call: str, tmp_path: Path
) -> None:
    strace = shutil.which("strace")
    assert strace is not None, "strace is missing: apt-get install strace"
    undisturbed = tmp_path / "undisturbed"
    scene(undisturbed)
    salvage(undisturbed)
    for number in range(1, MOST_CALLS):
        folder = tmp_path / f"killed{number}"
        scene(folder)
        if not killed(strace, call, number, folder):
            break
        salvage(folder)
        assert outcome(folder) == outcome(undisturbed), f"killed at {call} number {number}"
        shutil.rmtree(folder)
    else:
        pytest.fail("it never came through")
    assert number > 1 or call not in {"fsync", "rename"}, "nothing was ever killed"


def salvage(folder: Path) -> None:
    salvage_target(TargetLayout(folder), run_id="again", clock=SystemClock(), environment={})


def killed(strace: str, call: str, number: int, folder: Path) -> bool:
    """Run one salvage and return whether it was killed at that call."""
    log = folder.parent / "strace.log"
    finished = forked.run_traced(
        (strace, "-qq", "-o", str(log), f"--trace={call}", f"--inject={call}:signal=SIGKILL:when={number}"),
        [sys.executable, "-m", "tests.faults.salvage_once", str(folder)],
        env=dict(os.environ) | {"PYTHONDONTWRITEBYTECODE": "1"},
        cwd=Path(__file__).parents[2],
        text=True,
    )
    if finished.returncode == 0:
        return False
    assert finished.returncode in {-9, 137}, finished.stderr
    return True
