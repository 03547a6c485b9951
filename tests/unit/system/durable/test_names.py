"""Names that move: nothing is taken over, nothing is lost between the old name and the new one."""

from pathlib import Path

import pytest

from dce_play.system.durable.disk import Disk
from dce_play.system.durable.names import link_new, move, remove
from tests.faults.simulated_disk import DiskState, PowerLoss, SimulatedDisk


@pytest.fixture
def folders(tmp_path: Path) -> Path:
    for name in ("stash", "root", "root/from", "root/to"):
        (tmp_path / name).mkdir()
    return tmp_path


def test_a_name_that_is_taken_stays_with_who_has_it(folders: Path) -> None:
    source, name = folders / "root/from/a", folders / "root/to/a"
    source.write_bytes(b"mine")
    name.write_bytes(b"theirs")

    with pytest.raises(FileExistsError):
        link_new(source, name)

    assert (source.read_bytes(), name.read_bytes()) == (b"mine", b"theirs")


def link_and_remove(source: Path, name: Path, *, disk: Disk) -> None:
    link_new(source, name, disk=disk)
    remove(source, disk=disk)


@pytest.mark.parametrize("act", [link_and_remove, move])
def test_a_power_loss_leaves_the_old_name_or_the_new_one(folders: Path, act: object) -> None:
    assert callable(act)
    root, stash = folders / "root", folders / "stash"
    source, name = root / "from/a", root / "to/a"
    source.write_bytes(b"whole")
    begin = SimulatedDisk(root, stash).state_now()
    seen, stop_at, finished = set[tuple[bool, bool]](), 0, False
    while not finished:
        stop_at += 1
        SimulatedDisk(root, stash).put_back(begin)
        disk = SimulatedDisk(root, stash, stop_at=stop_at)
        try:
            act(source, name, disk=disk)
            finished = True
        except PowerLoss:
            pass
        for state in disk.states():
            seen.add(names_in(state, source, name))
            assert finished <= (names_in(state, source, name) == (False, True))
    # A rename across folders may be on the disk as both names or, by a folder synced late, as the new one alone.
    assert {(True, False), (False, True)} <= seen
    assert (False, False) not in seen or act is move


def names_in(state: DiskState, source: Path, name: Path) -> tuple[bool, bool]:
    names = {folder / each for folder, entries in state.names.items() for each, _ in entries}
    return source in names, name in names


def test_a_name_that_goes_is_gone_for_good(folders: Path) -> None:
    root = folders / "root"
    (root / "from/a").write_bytes(b"x")
    disk = SimulatedDisk(root, folders / "stash")
    remove(root / "from/a", disk=disk)

    assert [names_in(state, root / "from/a", root / "b") for state in disk.states()] == [(False, False)]
