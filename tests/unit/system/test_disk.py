"""Room and mounts, as the system tells them."""

import os
from pathlib import Path

from dce_play.system.disk import Mount, disk_space, mount_of


def test_room_is_what_an_ordinary_user_may_write(tmp_path: Path) -> None:
    space = disk_space(tmp_path)
    told = os.statvfs(tmp_path)
    assert space.total_bytes == told.f_blocks * told.f_frsize
    assert abs(space.free_bytes - told.f_bavail * told.f_frsize) < 1 << 30  # others write meanwhile
    assert space.free_mib == space.free_bytes >> 20


def test_a_path_that_is_not_there_yet_counts_as_its_parent(tmp_path: Path) -> None:
    assert disk_space(tmp_path / "a" / "b").mount == mount_of(tmp_path)


def test_the_mount_is_the_nearest_one() -> None:
    assert mount_of(Path("/proc/self/status")) == Mount(folder=Path("/proc"), kind="proc")
    assert mount_of(Path("/")).folder == Path("/")


def test_a_link_leads_to_the_mount_it_points_at(tmp_path: Path) -> None:
    (tmp_path / "link").symlink_to("/proc")
    assert mount_of(tmp_path / "link").kind == "proc"


def test_file_systems_that_other_machines_write_are_known() -> None:
    assert Mount(folder=Path("/n"), kind="nfs4").is_network
    assert Mount(folder=Path("/n"), kind="fuse.sshfs").is_network
    assert not Mount(folder=Path("/n"), kind="ext4").is_network
