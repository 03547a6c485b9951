"""A file that is written anew keeps what it may, and is never open to more people than before."""

import os
import shutil
import stat
import subprocess
from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory
from types import SimpleNamespace

import pytest

from dce_play.system.durable.keeping import keep_attributes, narrowed
from dce_play.system.durable.whole_files import write_atomic
from tests.support.channel_files import channel_bytes, write_channel
from tests.support.processes import as_nobody

pytestmark = pytest.mark.contract("F-U1")

needs_root = pytest.mark.skipif(os.geteuid() != 0, reason="needs root: files of other users and groups")


@pytest.fixture
def open_folder() -> Iterator[Path]:
    """Yield a folder of nobody's. It is not below ``tmp_path``: every pytest that starts closes that to others."""
    with TemporaryDirectory() as folder:
        Path(folder).chmod(0o755)
        place = Path(folder) / "place"
        place.mkdir()
        os.chown(place, 65534, 65534)
        yield place


def foreign_group(path: Path, mode: int) -> Path:
    os.chown(path, 65534, 0)
    path.chmod(mode)
    return path


@needs_root
@pytest.mark.parametrize("job", ["write", "salvage", "merge", "normalise"])
def test_a_file_of_a_foreign_group_is_written_anew_by_its_owner(open_folder: Path, job: str) -> None:
    whole = write_channel(open_folder / "Fixture [111].json", [1, 2])
    other = write_channel(open_folder / "other.json", [2, 3])
    if job == "salvage":
        whole.write_bytes(channel_bytes([1, 2])[:-40])
    if job == "normalise":
        whole.write_bytes(channel_bytes([2, 1]))
    for path in (whole, other):
        foreign_group(path, 0o640)
    script = """
from pathlib import Path
from dce_play.discord.archive.folder.places import layout_of
from dce_play.discord.archive.merge.merge import merge
from dce_play.discord.archive.merge.normalise import normalise
from dce_play.discord.archive.salvage.repair import salvage_file
from dce_play.system.clock import SystemClock
from dce_play.system.durable.whole_files import write_atomic
import sys, dce_play.discord.archive.records.recover, dce_play.discord.archive.scan.engine
---
whole, other = Path(sys.argv[2]), Path(sys.argv[3])
match sys.argv[1]:
    case "write": write_atomic(whole, b"new")
    case "salvage": salvage_file(whole, whole)
    case "merge": merge([whole, other], whole)
    case "normalise": normalise(whole, layout=layout_of(whole), run_id="r", clock=SystemClock())
"""
    done = subprocess.run(as_nobody(script, job, whole, other), capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stderr
    facts = whole.stat()
    assert (facts.st_uid, facts.st_gid, stat.S_IMODE(facts.st_mode)) == (65534, 65534, 0o600)
    assert done.stderr.count("could not keep their group 0") == 1


@needs_root
def test_root_keeps_owner_group_and_mode(tmp_path: Path) -> None:
    path = tmp_path / "file"
    path.write_bytes(b"old")
    foreign_group(path, 0o640)
    write_atomic(path, b"new")
    facts = path.stat()
    assert (facts.st_uid, facts.st_gid, stat.S_IMODE(facts.st_mode)) == (65534, 0, 0o640)


@pytest.mark.parametrize(
    ("mode", "owner_kept", "group_kept", "becomes"),
    [
        (0o640, True, True, 0o640),
        (0o640, True, False, 0o600),
        (0o664, True, False, 0o644),
        (0o666, True, False, 0o666),
        (0o670, True, False, 0o600),
        (0o4750, False, True, 0o750),
        (0o2755, True, False, 0o755),
    ],
)
def test_a_mode_never_widens(mode: int, owner_kept: bool, group_kept: bool, becomes: int) -> None:
    assert narrowed(mode, owner_kept=owner_kept, group_kept=group_kept) == becomes


def test_extended_attributes_are_kept_where_there_are_any(tmp_path: Path) -> None:
    path = tmp_path / "file"
    path.write_bytes(b"old")
    try:
        os.setxattr(path, "user.origin", b"lab")
    except OSError:
        pytest.skip("this file system has no extended attributes")
    write_atomic(path, b"new")
    assert os.getxattr(path, "user.origin") == b"lab"


@pytest.mark.skipif(shutil.which("setfacl") is None, reason="needs setfacl")
def test_access_lists_are_kept(tmp_path: Path) -> None:
    path = tmp_path / "file"
    path.write_bytes(b"old")
    if subprocess.run(["setfacl", "-m", "u:65534:r", path], check=False, timeout=10).returncode != 0:
        pytest.skip("this file system has no access lists")
    write_atomic(path, b"new")
    told = subprocess.run(["getfacl", "-n", path], capture_output=True, text=True, check=True, timeout=10).stdout
    assert "user:65534:r--" in told


def test_what_is_kept_is_told_back(tmp_path: Path) -> None:
    descriptor = os.open(tmp_path / "file", os.O_CREAT | os.O_WRONLY)
    try:
        mine = SimpleNamespace(mode=0o644, uid=os.getuid(), gid=os.getgid())
        assert keep_attributes(descriptor, mine) == ()
    finally:
        os.close(descriptor)
