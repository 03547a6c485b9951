"""A Redis backup restored into a folder: on the disk before it is told as whole, and told as a half where it is one."""

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.backups import Yard, yard_in
from tests.support.call_order import changes, strace
from tests.support.redis_server import fill, redis_server

NOTE = ".dce-restore-has-not-ended"


@pytest.fixture(params=["rdb", "tar"])
def form(request: pytest.FixtureRequest) -> str:
    """Give a format: the snapshot that the server sends, or its data folder."""
    return str(request.param)


@pytest.fixture
def restoring(tmp_path: Path, form: str) -> Iterator[tuple[Yard, tuple[str, ...]]]:
    """Give a yard, and the words of a command that restores its backup of a Redis server into a new folder."""
    yard = yard_in(tmp_path)
    with redis_server() as redis:
        fill(redis)
        where = {"socket": str(redis.socket)} | ({"data_folder": str(redis.folder)} if form == "tar" else {})
        yard.define_all({"name": "cache-redis", "redis": where, "restore_notes": "none", "container_engine": "none"})
        code, found = yard.ask("run", "cache-redis", "--allow-unattended")
        assert code == 0, found
        file = found["backups"][0]["file"]
        yield yard, ("restore", file, "--into", str(tmp_path / "out"), "--apply", "--confirm", "cache-redis")


def needs_strace() -> None:
    if shutil.which("strace") is None:
        pytest.skip("no strace")


@pytest.mark.contract("R7", "N14")
@pytest.mark.strace
def test_what_is_restored_is_on_the_disk_before_its_note_goes(
    restoring: tuple[Yard, tuple[str, ...]], tmp_path: Path, form: str
) -> None:
    needs_strace()
    yard, words = restoring
    said = yard.under(*strace(tmp_path / "calls"), words=words)
    assert said.code == 0, said
    durable = {"rdb": ["fsync out/dump.rdb", "sync all"], "tar": ["fsync out", "sync all"]}[form]
    assert [each for each in changes(tmp_path / "calls", tmp_path) if each.startswith(("sync", "fsync out"))] == [
        f"fsync out/.{NOTE}.*.tmp",
        "fsync out",
        *durable,
        "fsync out",
    ]
    assert changes(tmp_path / "calls", tmp_path)[-2:] == [f"unlink out/{NOTE}", "fsync out"]


@pytest.mark.contract("R7", "N9", "N14")
def test_a_restore_that_fails_in_the_middle_leaves_a_folder_that_says_that_it_is_half_full(
    restoring: tuple[Yard, tuple[str, ...]], tmp_path: Path
) -> None:
    yard, words = restoring
    said = yard.under("prlimit", "--fsize=4096", words=(*words, "--format", "json"))
    assert said.code == 1, said
    assert '"write-failed"' in said.out
    assert (tmp_path / "out" / NOTE).exists()
    code, found = yard.ask(*words)
    assert (code, found["error"]["id"]) == (2, "usage")
    assert "half full" in found["error"]["message"]


@pytest.mark.contract("R7", "N9")
@pytest.mark.strace
@pytest.mark.parametrize("form", ["rdb"])
def test_a_snapshot_that_the_disk_does_not_keep_is_no_restored_one(
    restoring: tuple[Yard, tuple[str, ...]], tmp_path: Path
) -> None:
    needs_strace()
    yard, words = restoring
    at = ("-P", str(tmp_path / "out" / "dump.rdb"), "-einject=fsync:error=EIO")
    said = yard.under(
        "strace", "-f", "-qq", "-o", "/dev/null", "-etrace=fsync", *at, words=(*words, "--format", "json")
    )
    assert said.code == 1, said
    assert '"write-failed"' in said.out
    assert (tmp_path / "out" / NOTE).exists()
