"""A Redis backup is restored into a folder, from which a server starts with every key; drills leave nothing."""

import os
import shutil
import subprocess
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from dce_play.backup.engines.redis.engine import ENGINE
from dce_play.backup.errors import BackupError, ErrorId
from dce_play.backup.protocols import DrillOptions
from dce_play.errors import ExitCode
from tests.support.engine_services import EngineServices, Record, take
from tests.support.redis_server import PATIENCE_S, Redis, fill, redis_6, redis_server


@pytest.fixture
def place(monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """Give a folder as TMPDIR, with a name that is short enough for a socket."""
    with tempfile.TemporaryDirectory(prefix="dce-place-", dir="/tmp") as name:
        monkeypatch.setattr(tempfile, "tempdir", name)
        yield Path(name)


def everything(cli: Redis) -> list[str]:
    """Return every key of every database with its value, as the server serialises it."""
    found = []
    for database in (0, 3, 9):
        keys = cli.cli("-n", str(database), "KEYS", "*").split()
        dumped = cli.cli("-n", str(database), commands="\n".join(f"DUMP {key}" for key in sorted(keys)))
        found += [f"{database} {key}" for key in sorted(keys)] + [dumped]
    return found


@pytest.mark.parametrize("reach", [True, False])
@pytest.mark.parametrize("append_only", ["yes", "no"])
@pytest.mark.contract("R7")
def test_a_server_starts_on_the_restored_folder_with_every_key(
    server: Redis, tmp_path: Path, reach: bool, append_only: str
) -> None:
    stored = take(ENGINE, server.module(reach=reach), EngineServices(), tmp_path / "backup")
    with tempfile.TemporaryDirectory(prefix="dce-into-", dir="/tmp") as name:
        into = Path(name)
        ENGINE.restore_into(stored, into, EngineServices())
        if append_only == "yes" and not reach:
            return  # the plan's note: there are no append-only files, and a server would start empty
        restored = Redis(folder=into, pid=0)
        process = subprocess.Popen(
            ["redis-server", "--port", "0", "--unixsocket", into / "s", "--dir", into, "--appendonly", append_only],
            stdout=subprocess.DEVNULL,
        )
        try:
            ends_at = time.monotonic() + PATIENCE_S
            ping = ["redis-cli", "-s", str(into / "s"), "PING"]
            while subprocess.run(ping, capture_output=True, timeout=20, check=False).stdout != b"PONG\n":
                assert time.monotonic() < ends_at
                time.sleep(0.02)
            assert everything(restored) == everything(server)
        finally:
            process.kill()
            process.wait(timeout=20)


@pytest.mark.contract("R7")
def test_in_place_is_refused_and_the_plan_says_what_to_do(server: Redis, tmp_path: Path) -> None:
    stored = take(ENGINE, server.module(), EngineServices(), tmp_path / "backup")
    plan = ENGINE.plan_restore(stored, server.module(), EngineServices(), into=None)
    commands = [item.detail for item in plan if item.what == "command"]
    assert len(commands) == 3
    assert str(server.folder) in commands[1]
    with pytest.raises(BackupError) as caught:
        ENGINE.restore(stored, server.module(), EngineServices(), Record(stamp="20261128T221500Z", replace=False))
    assert caught.value.exit_code == ExitCode.USAGE


@pytest.mark.contract("R6")
def test_a_drill_leaves_nothing_and_a_kept_one_says_where(server: Redis, tmp_path: Path, place: Path) -> None:
    stored = take(ENGINE, server.module(), EngineServices(), tmp_path / "backup")
    ENGINE.drill(stored, EngineServices(), DrillOptions())
    assert list(place.iterdir()) == []
    kept = ENGINE.drill(stored, EngineServices(), DrillOptions(keep=True)).kept
    folder = next(place.iterdir())
    assert str(folder) in kept
    cli = kept.partition(": ")[2].partition(";")[0].split()
    try:
        assert subprocess.run([*cli, "PING"], capture_output=True, timeout=20, check=True).stdout == b"PONG\n"
    finally:
        subprocess.run([*cli, "SHUTDOWN", "NOSAVE"], capture_output=True, timeout=20, check=False)


@pytest.mark.contract("R6")
def test_an_append_only_file_that_does_not_load_is_a_difference(tmp_path: Path) -> None:
    with redis_server("--appendonly", "yes") as server:
        fill(server)
        log = next(server.folder.glob("appendonlydir/*.incr.aof"))
        data = bytearray(log.read_bytes())
        data[data.index(b"SET")] = 0x7F
        server.cli("CONFIG", "SET", "appendfsync", "always")
        log.write_bytes(data)
        stored = take(ENGINE, server.module(), EngineServices(), tmp_path / "backup")
    differences = ENGINE.drill(stored, EngineServices(), DrillOptions()).differences
    assert [each.what for each in differences] == ["append-only files"]


@pytest.mark.contract("R6", "N12")
def test_a_snapshot_that_is_none_fails_the_drill(server: Redis, tmp_path: Path, place: Path) -> None:
    stored = take(ENGINE, server.module(reach=False), EngineServices(), tmp_path / "backup")
    stored.path.write_bytes(stored.path.read_bytes()[:200])
    for keep in (False, True):
        with pytest.raises(BackupError) as caught:
            ENGINE.drill(stored, EngineServices(), DrillOptions(keep=keep))
        assert caught.value.error_id in {ErrorId.TRUNCATED, ErrorId.VERIFY_FAILED}
        assert list(place.iterdir()) == []


@pytest.mark.contract("R6")
def test_an_older_server_that_comes_first_on_the_path_is_passed_over(server: Redis, tmp_path: Path) -> None:
    stored = take(ENGINE, server.module(), EngineServices(), tmp_path / "backup")
    old = str(Path(redis_6()).parent)
    both = EngineServices(environment={**os.environ, "PATH": f"{old}:{os.environ['PATH']}"})
    assert ENGINE.drill(stored, both, DrillOptions()).differences == ()
    (tmp_path / "bin").mkdir()
    for name in ("redis-check-rdb", "redis-cli"):
        (tmp_path / "bin" / name).symlink_to(str(shutil.which(name)))
    alone = EngineServices(environment={**os.environ, "PATH": f"{old}:{tmp_path / 'bin'}"})
    with pytest.raises(BackupError) as caught:
        ENGINE.drill(stored, alone, DrillOptions())
    assert caught.value.error_id is ErrorId.VERSION
