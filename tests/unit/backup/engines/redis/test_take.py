"""A Redis backup is of our own save, whole, with its keys counted, and leaves the server as it was."""

import os
import signal
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path
from typing import Any

import pytest

from dce_play.backup.definitions.model import RedisKeys
from dce_play.backup.engines.redis import append_only, throwaway
from dce_play.backup.engines.redis.append_only import rewriting_held
from dce_play.backup.engines.redis.engine import ENGINE
from dce_play.backup.engines.redis.link import Link, open_link
from dce_play.backup.errors import BackupError, ErrorId
from dce_play.backup.facts import Consistency, Health
from dce_play.backup.protocols import DrillOptions
from dce_play.errors import ExitCode
from tests.support.engine_services import EngineServices, FileSink, check, take
from tests.support.processes import eventually
from tests.support.redis_server import KEYS, Redis, redis_6, redis_server

HELD = "auto-aof-rewrite-percentage"


def failure(server: Redis, path: Path, services: EngineServices | None = None, **keys: Any) -> BackupError:
    with pytest.raises(BackupError) as caught:
        take(ENGINE, server.module(**keys), services or EngineServices(), path)
    return caught.value


@pytest.mark.parametrize("reach", [True, False])
@pytest.mark.contract("R3")
def test_keys_are_counted_per_database_and_restored(server: Redis, tmp_path: Path, reach: bool) -> None:
    stored = take(ENGINE, server.module(reach=reach), EngineServices(), tmp_path / "backup")
    assert stored.manifest.counts == {"keys": sum(KEYS.values()), "databases": KEYS}
    assert stored.manifest.consistency is Consistency.ENGINE
    assert stored.manifest.format == ("tar" if reach else "rdb")
    drilled = ENGINE.drill(stored, EngineServices(), DrillOptions())
    assert drilled.differences == ()
    assert drilled.expected == drilled.restored
    assert drilled.restored["databases"] == KEYS


@pytest.mark.parametrize("diskless", ["yes", "no"])
@pytest.mark.contract("R2")
def test_the_sent_snapshot_is_the_same_with_and_without_an_end_mark(
    server: Redis, tmp_path: Path, diskless: str
) -> None:
    server.cli("CONFIG", "SET", "repl-diskless-sync", diskless)
    server.cli("CONFIG", "SET", "repl-diskless-sync-delay", "0")
    stored = take(ENGINE, server.module(reach=False), EngineServices(), tmp_path / "backup")
    assert stored.path.read_bytes()[-9] == 0xFF
    assert stored.manifest.counts["keys"] == sum(KEYS.values())


@pytest.mark.contract("R8")
def test_the_health_probe_tells_a_server_from_none(server: Redis) -> None:
    assert ENGINE.probe(server.module(), EngineServices(), timeout_s=5) is Health.HEALTHY
    assert ENGINE.probe(server.module(socket="/nonexistent"), EngineServices(), timeout_s=5) is Health.UNHEALTHY


@pytest.mark.contract("R6")
def test_keys_whose_time_is_up_are_told_apart(tmp_path: Path) -> None:
    with redis_server() as server:
        for milliseconds in (400, 3200, 25600):  # longer than taking takes, however busy the machine is
            server.cli(commands=f"SET a 1\nSET b 1 PX {milliseconds}")
            stored = take(ENGINE, server.module(), EngineServices(), tmp_path / f"backup-{milliseconds}")
            if stored.manifest.counts["keys"] == 2:
                break
        assert eventually(lambda: server.cli("EXISTS", "b").strip() == "0")
        drilled = ENGINE.drill(stored, EngineServices(), DrillOptions())
    assert drilled.restored["databases"] == {"0": 2}
    assert drilled.differences == ()
    assert "1 of the keys have expired" in drilled.note


@pytest.mark.contract("R1", "N4")
def test_a_save_that_fails_is_not_hidden_by_the_older_file(tmp_path: Path) -> None:
    with redis_server() as server:
        server.cli("SET", "old", "1")
        server.cli("SAVE")
        server.cli("SET", "new", os.urandom(50_000).hex())
        saves = server.cli("INFO", "persistence").split("rdb_saves:")[1].split()[0]
        subprocess.run(["prlimit", f"--pid={server.pid}", "--fsize=20000:"], check=True)
        error = failure(server, tmp_path / "backup")
        assert server.cli("INFO", "persistence").split("rdb_saves:")[1].split()[0] != saves
        assert (server.folder / "dump.rdb").exists()
    assert error.error_id is ErrorId.ENGINE_FAILED
    assert error.exit_code == ExitCode.FAILED
    assert "rdb_last_bgsave_status:err" in str(error)


@pytest.mark.contract("R1")
def test_a_server_that_counts_no_saves_is_watched_by_file_and_last_save(tmp_path: Path) -> None:
    with redis_server("--appendonly", "yes", program=redis_6()) as server:
        assert "rdb_saves" not in server.cli("INFO", "persistence")
        server.cli("SET", "a", "1")
        stored = take(ENGINE, server.module(), EngineServices(), tmp_path / "1")
        assert stored.manifest.counts == {"keys": 1, "databases": {"0": 1}}
        assert stored.manifest.engine.server_version.startswith("6.2")
        assert ENGINE.drill(stored, EngineServices(), DrillOptions()).differences == ()
        server.cli("SET", "new", os.urandom(50_000).hex())
        subprocess.run(["prlimit", f"--pid={server.pid}", "--fsize=20000:"], check=True)
        error = failure(server, tmp_path / "2")
    assert error.error_id is ErrorId.ENGINE_FAILED


@pytest.mark.contract("R1")
def test_a_folder_that_is_not_the_servers_is_noticed(server: Redis, tmp_path: Path) -> None:
    (tmp_path / "dump.rdb").write_bytes(b"REDIS0010\xff" + bytes(8))
    error = failure(server, tmp_path / "backup", data_folder=str(tmp_path))
    assert error.error_id is ErrorId.ENGINE_FAILED
    assert "not a new one" in str(error)
    missing = failure(server, tmp_path / "backup", data_folder=str(tmp_path / "none"))
    assert missing.error_id is ErrorId.NOT_FOUND


@pytest.mark.contract("R1")
def test_a_save_under_way_is_waited_for_and_not_counted(tmp_path: Path) -> None:
    with redis_server("--rdb-key-save-delay", "3000") as server:
        server.cli(commands="\n".join(f"SET k{number} v" for number in range(200)))
        server.cli("BGSAVE")
        server.cli("SET", "late", "1")
        stored = take(ENGINE, server.module(), EngineServices(), tmp_path / "backup")
    assert stored.manifest.counts["keys"] == 201


@pytest.mark.contract("R1")
def test_a_link_in_place_of_the_snapshot_is_not_followed(tmp_path: Path) -> None:
    with redis_server() as server:
        server.cli("SET", "a", "1")
        stop = threading.Event()

        def plant() -> None:
            path = server.folder / "dump.rdb"
            while not stop.wait(0.001):
                if path.exists() and not path.is_symlink():
                    path.unlink()
                    path.symlink_to("/etc/hostname")

        planter = threading.Thread(target=plant)
        planter.start()
        try:
            error = failure(server, tmp_path / "backup")
        finally:
            stop.set()
            planter.join()
    assert error.error_id in {ErrorId.NOT_FOUND, ErrorId.ENGINE_FAILED}


@pytest.mark.contract("R4", "N6")
def test_rewriting_is_held_while_the_log_is_copied_and_set_back(server: Redis, tmp_path: Path) -> None:
    seen: set[str] = set()

    class Watching(FileSink):
        def write(self, data: "bytes | memoryview", /) -> None:
            seen.add(server.cli("CONFIG", "GET", HELD).split("\n")[1])
            super().write(data)

    sink = Watching(tmp_path / "backup")
    server.cli("CONFIG", "SET", HELD, "77")
    with ENGINE.open(server.module(), EngineServices(), dry_run=False, excluding=tmp_path) as source:
        source.produce(sink, quiesced=False)
    sink.finish()
    assert "0" in seen
    assert server.cli("CONFIG", "GET", HELD).split("\n")[1] == "77"
    names = subprocess.run(["tar", "-tf", tmp_path / "backup"], capture_output=True, text=True, check=True).stdout
    assert "data/appendonlydir/appendonly.aof.manifest" in names.splitlines()


@pytest.mark.contract("R4", "N6")
def test_a_full_disk_sets_it_back_too(server: Redis, tmp_path: Path) -> None:
    server.cli("CONFIG", "SET", HELD, "66")
    server.cli("SAVE")
    sink = FileSink(tmp_path / "backup", fails_after_bytes=(server.folder / "dump.rdb").stat().st_size + 2500)
    with (
        ENGINE.open(server.module(), EngineServices(), dry_run=False, excluding=tmp_path) as source,
        pytest.raises(BackupError) as caught,
    ):
        source.produce(sink, quiesced=False)
    sink.abort()
    assert caught.value.error_id is ErrorId.WRITE_FAILED
    assert server.cli("CONFIG", "GET", HELD).split("\n")[1] == "66"


_HOLD = """
import sys
from dce_play.backup.definitions.model import RedisKeys
from dce_play.backup.engines.redis.append_only import rewriting_held
from dce_play.backup.engines.redis.link import Link, open_link
from tests.support.engine_services import EngineServices
with rewriting_held(Link(keys=RedisKeys(socket=sys.argv[1]), services=EngineServices(), container=None)):
    print("held", flush=True)
    sys.stdin.read()
"""


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM, signal.SIGINT])
@pytest.mark.contract("R4", "N6")
def test_a_signal_in_the_middle_sets_it_back_within_ten_seconds(server: Redis, number: signal.Signals) -> None:
    server.cli("CONFIG", "SET", HELD, "55")
    program = subprocess.Popen(
        [sys.executable, "-c", _HOLD, str(server.socket)],
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True,
    )  # fmt: skip
    assert program.stdout is not None
    assert program.stdout.readline() == "held\n"
    assert server.cli("CONFIG", "GET", HELD).split("\n")[1] == "0"
    program.send_signal(number)
    program.communicate(timeout=20)
    ends_at = time.monotonic() + 10
    while server.cli("CONFIG", "GET", HELD).split("\n")[1] != "55":
        assert time.monotonic() < ends_at
        time.sleep(0.05)


@pytest.mark.contract("R8", "N8")
def test_the_password_is_in_no_environment_and_no_argv_while_rewriting_is_held(server: Redis) -> None:
    server.cli("ACL", "SETUSER", "keeper", "on", ">s3cret pass\\\nword", "~*", "+@all")
    services = EngineServices(environment={**os.environ, "REDIS_PASSWORD": "s3cret pass\\\nword"})
    server.cli("CONFIG", "SET", HELD, "44")
    with rewriting_held(open_link(server.module(user="keeper", password="env:REDIS_PASSWORD"), services)):
        assert server.cli("CONFIG", "GET", HELD).split("\n")[1] == "0"
        children = subprocess.run(["pgrep", "-P", str(os.getpid())], capture_output=True, text=True, check=True)
        told = b"".join(
            Path(f"/proc/{pid}/{name}").read_bytes()
            for pid in children.stdout.split()
            for name in ("environ", "cmdline")
            if Path(f"/proc/{pid}").exists()
        )
        assert b"guard" in told
        assert b"s3cret" not in told
    assert server.cli("CONFIG", "GET", HELD).split("\n")[1] == "44"


@pytest.mark.contract("R8", "N8")
def test_an_acl_users_password_works_and_stays_secret(server: Redis, tmp_path: Path) -> None:
    server.cli("ACL", "SETUSER", "keeper", "on", ">s3cret pass'word", "~*", "+@all")
    services = EngineServices(environment={**os.environ, "REDISPW": "s3cret pass'word"})
    module = server.module(user="keeper", password="env:REDISPW", reach=False)
    stored = take(ENGINE, module, services, tmp_path / "backup")
    assert not any("s3cret" in word for word in stored.manifest.command)
    wrong = EngineServices(environment={**os.environ, "REDISPW": "wrong one"})
    error = failure(server, tmp_path / "2", wrong, user="keeper", password="env:REDISPW")
    assert (error.error_id, error.exit_code) == (ErrorId.AUTH, ExitCode.AUTHENTICATION)


@pytest.mark.parametrize("reach", [True, False])
@pytest.mark.contract("R8")
def test_a_user_who_may_not_save_is_forbidden(server: Redis, tmp_path: Path, reach: bool) -> None:
    server.cli("ACL", "SETUSER", "weak", "on", ">weak secret", "~*", "+info", "+config|get", "+ping")
    services = EngineServices(environment={**os.environ, "REDISPW": "weak secret"})
    error = failure(server, tmp_path / "1", services, user="weak", password="env:REDISPW", reach=reach)
    assert (error.error_id, error.exit_code) == (ErrorId.FORBIDDEN, ExitCode.AUTHENTICATION)


@pytest.mark.contract("R8")
def test_without_the_password_that_the_server_asks_for_it_is_auth(tmp_path: Path) -> None:
    with redis_server("--requirepass", "needed one", auth=("-a", "needed one", "--no-auth-warning")) as server:
        assert failure(server, tmp_path / "backup").error_id is ErrorId.AUTH
        assert ENGINE.probe(server.module(), EngineServices(), timeout_s=5) is Health.UNHEALTHY


@pytest.mark.contract("R8")
def test_no_server_is_unreachable(server: Redis, tmp_path: Path) -> None:
    error = failure(server, tmp_path / "backup", socket="/nonexistent")
    assert (error.error_id, error.exit_code) == (ErrorId.UNREACHABLE, ExitCode.PREFLIGHT)


SENT = {
    "nothing": ("exit 0", ErrorId.TRUNCATED),
    "half": ('"$REAL" "$@" | head -c 300', ErrorId.TRUNCATED),
    "all but the end": ('"$REAL" "$@" > "$0.out"; head -c -50 "$0.out"', ErrorId.TRUNCATED),
    "more than the end": ('"$REAL" "$@"; echo more', ErrorId.TRUNCATED),
    "an error after its last byte": ('"$REAL" "$@"; exit 1', ErrorId.ENGINE_FAILED),
}


@pytest.mark.parametrize("way", SENT)
@pytest.mark.contract("R2", "N2")
def test_a_client_that_stops_early_gives_no_backup(server: Redis, tmp_path: Path, way: str) -> None:
    script, expected = SENT[way]
    real = subprocess.run(["which", "redis-cli"], capture_output=True, text=True, check=True).stdout.strip()
    (tmp_path / "bin").mkdir()
    fake = tmp_path / "bin" / "redis-cli"
    guard = f'#!/bin/sh\nREAL={real}\ncase "$*" in *--rdb*) ;; *) exec "$REAL" "$@";; esac\n'
    fake.write_text(guard + script + "\n", encoding="utf-8")
    fake.chmod(0o755)
    services = EngineServices(environment={**os.environ, "PATH": f"{tmp_path / 'bin'}:{os.environ['PATH']}"})
    error = failure(server, tmp_path / "backup", services, reach=False)
    assert error.error_id is expected
    assert error.exit_code == ExitCode.FAILED


@pytest.mark.parametrize("reach", [True, False])
@pytest.mark.parametrize("damage", ["cut", "flipped", "longer"])
@pytest.mark.contract("R5")
def test_a_damaged_backup_fails_its_check(server: Redis, tmp_path: Path, reach: bool, damage: str) -> None:
    stored = take(ENGINE, server.module(reach=reach), EngineServices(), tmp_path / "backup")
    data = bytearray(stored.path.read_bytes())
    if damage == "cut":
        del data[-20 if not reach else -600 :]
    elif damage == "longer":
        data += b"more"
    else:
        data[data.index(b"key:77") + 2] ^= 1
    stored.path.write_bytes(data)
    with pytest.raises(BackupError) as caught:
        check(ENGINE, stored, EngineServices())
    assert caught.value.error_id in {ErrorId.TRUNCATED, ErrorId.VERIFY_FAILED}


@pytest.mark.contract("R5", "N3", "N12")
def test_another_snapshot_under_the_same_manifest_is_found(server: Redis, tmp_path: Path) -> None:
    stored = take(ENGINE, server.module(reach=False), EngineServices(), tmp_path / "backup")
    with redis_server() as other:
        other.cli("SET", "a", "1")
        stored.path.write_bytes(
            take(ENGINE, other.module(reach=False), EngineServices(), tmp_path / "2").path.read_bytes()
        )
    with pytest.raises(BackupError) as caught:
        check(ENGINE, stored, EngineServices())
    assert caught.value.error_id is ErrorId.VERIFY_FAILED
    differences = ENGINE.drill(stored, EngineServices(), DrillOptions()).differences
    assert {each.what for each in differences} == {"keys, by the manifest", "databases, by the manifest"}


class CuttingSink(FileSink):
    """A sink that cuts a file as soon as the process that writes to it has it open."""

    def __init__(self, path: Path, *, cuts: Path) -> None:
        super().__init__(path)
        self._cuts = cuts

    def write(self, data: "bytes | memoryview", /) -> None:
        super().write(data)
        opened = {os.path.realpath(each) for each in Path("/proc/self/fd").iterdir()}
        if str(self._cuts) in opened:
            os.truncate(self._cuts, 3)


@pytest.mark.contract("R4", "N2")
def test_a_log_that_becomes_shorter_while_it_is_read_is_no_backup(tmp_path: Path) -> None:
    with redis_server("--appendonly", "yes") as server:
        server.cli("SET", "a", "1")
        sink = CuttingSink(tmp_path / "backup", cuts=next(server.folder.glob("appendonlydir/*.incr.aof")))
        with (
            ENGINE.open(server.module(), EngineServices(), dry_run=False, excluding=tmp_path) as source,
            pytest.raises(BackupError, match="became shorter while it was read") as caught,
        ):
            source.produce(sink, quiesced=False)
        sink.abort()
    assert (caught.value.error_id, caught.value.exit_code) == (ErrorId.CHANGED, ExitCode.FAILED)


class RestlessLink(Link, frozen=True):
    """The way to a real server, beside which the list of its append-only files changes so often."""

    server: Redis
    changes: list[int]

    def setting(self, name: str) -> str | None:
        if name == "appendfilename" and self.changes[0]:
            self.changes[0] -= 1
            listed = self.server.folder / "appendonlydir" / "appendonly.aof.manifest"
            name_of_one = "appendonly.aof.2.incr.aof" if self.changes[0] % 2 else "appendonly.aof.1.incr.aof"
            listed.write_text(f"file appendonly.aof.1.base.rdb seq 1 type b\nfile {name_of_one} seq 1 type i\n")
        return super().setting(name)


@pytest.mark.contract("R4")
@pytest.mark.parametrize("more", [0, 1])
def test_append_only_files_that_never_hold_still_are_given_up(more: int) -> None:
    with redis_server("--appendonly", "yes") as server:
        (server.folder / "appendonlydir" / "appendonly.aof.2.incr.aof").write_bytes(b"")
        link = RestlessLink(
            keys=RedisKeys(socket=str(server.socket)), services=EngineServices(), container=None, server=server,
            changes=[2 * append_only._TRIES - 1 + more],
        )  # fmt: skip
        if more:
            with (
                pytest.raises(BackupError, match="change faster than they are read") as caught,
                append_only.append_only_files(link, server.folder),
            ):
                pass
            assert caught.value.error_id is ErrorId.CHANGED
        else:
            with append_only.append_only_files(link, server.folder) as opened:
                assert len(opened) == 3


@pytest.mark.contract("R7")
@pytest.mark.parametrize("more", [0, 1])
def test_a_server_is_reached_below_a_long_path(more: int) -> None:
    """A folder that is short enough is named by its own path, a longer one by its descriptor."""
    with tempfile.TemporaryDirectory(prefix="dce-long-", dir="/tmp") as name:
        folder = Path(name) / ("x" * (throwaway._LONGEST_SOCKET_FOLDER - len(name) - 1 + more))
        folder.mkdir()
        with throwaway._reachable(folder) as short:
            assert (short == folder) is (not more)
            assert len(f"{short}/{throwaway.SOCKET}") <= 107
        with throwaway.serving("redis-server", folder, EngineServices()) as held:
            assert held.keys == 0
