"""SIGKILL of a restore at every stage: nobody takes what is left for whole, and there is a way back."""

import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from dce_play.system.s3.bucket import Bucket
from tests.support.backups import Yard, wait_for, yard_in
from tests.support.command_line import Terminal, terminal_in
from tests.support.freezing_proxy import freezing_proxy
from tests.support.postgres_server import Postgres
from tests.support.real_engines import OpenBao, SeaweedFS, vault_call

CALLS = ("rename", "unlink", "fsync")


@pytest.fixture
def yard(tmp_path: Path) -> Yard:
    """Give a module of two roots, one backup, and newer data."""
    found = yard_in(tmp_path)
    (tmp_path / "more").mkdir()
    (tmp_path / "more" / "d.txt").write_text("first\n")
    found.define(files={"paths": [str(found.data), str(tmp_path / "more")]}, container_engine="none")
    found.take()
    (found.data / "a.txt").write_text("newer\n")
    (tmp_path / "more" / "d.txt").write_text("newer\n")
    return found


def contents(yard: Yard) -> tuple[str, str]:
    """Return what the two roots hold; nothing of one that is on its way."""
    return _text(yard.data / "a.txt"), _text(yard.data.parent / "more" / "d.txt")


def _text(path: Path) -> str:
    try:
        return path.read_text()
    except FileNotFoundError:
        return ""


def needs_strace() -> None:
    if shutil.which("strace") is None:
        assert os.environ.get("CI") != "true"
        pytest.skip("no strace")


def half_restored(run: Any, module: str, file: str) -> None:
    """Look whether every command tells of a restore of the module that has not ended."""
    code, found = run("require", module)
    assert code == 4
    assert f"a restore of {module} from {file} was begun at" in found["reason"]
    code, found = run("run", module, "--allow-unattended")
    assert (code, found["failed"][0]["error"]) == (4, "incomplete"), found
    code, found = run("run", module, "--dry-run")
    assert (code, found["failed"][0]["error"]) == (4, "incomplete"), found
    (row,) = run("audit")[1]["modules"]
    assert row["readiness"] == "not-ready"
    assert "has not ended" in row["reasons"][0]
    (left,) = (each for each in run("list", module)[1]["leftovers"] if each["kind"] == "restore")
    assert "has not ended" in left["detail"]
    assert run("restore", file)[1]["plan"][0]["what"] == "unfinished"


@pytest.mark.contract("N10", "N14")
@pytest.mark.strace
@pytest.mark.slow
@pytest.mark.parametrize("call", CALLS)
def test_files_are_the_old_ones_or_the_restored_ones_wherever_a_restore_is_killed(yard: Yard, call: str) -> None:
    needs_strace()
    file = yard.ask("list")[1]["backups"][0]["file"]
    words = ("restore", file, "--apply", "--confirm", "kuma", "--no-safety-backup")
    was_half = 0
    for number in range(1, 60):
        inject = f"-einject={call}:signal=SIGKILL:when={number}"
        said = yard.under("strace", "-qq", "-o", "/dev/null", f"-etrace={call}", inject, words=words)
        if said.code == 0:
            break
        note = yard.root / ".dce-backup" / "kuma.restore.json"
        # the guard has put back what was half swapped, before anybody asked
        wait_for(lambda: set(contents(yard)) in ({"first\n"}, {"newer\n"}), within_s=60, what="both of one age")
        was_half += note.exists()
        if note.exists() and was_half == 1:
            half_restored(yard.ask, "kuma", file)
        code, found = yard.ask("recover")
        assert code == 0, found
        assert not note.exists()
        assert list(yard.data.parent.glob(".*.restore-*")) == []
        assert len(set(contents(yard))) == 1
        for path in (yard.data / "a.txt", yard.data.parent / "more" / "d.txt"):
            path.write_text("newer\n")
        for path in yard.data.parent.glob("*.before-*"):
            shutil.rmtree(path)
    assert contents(yard) == ("first\n", "first\n")
    assert was_half > 1
    assert yard.ask("require", "kuma")[0] == 0
    assert [path.name for path in (yard.root / ".dce-backup").iterdir()] == ["kuma.lock"]


@pytest.mark.contract("N14")
def test_a_folder_that_is_half_full_says_so_and_is_never_taken_for_a_restored_one(yard: Yard) -> None:
    with (yard.data / "big").open("wb") as file:
        file.write(os.urandom(64 << 20))
    row = yard.take()
    folder = yard.data.parent / "out"
    process = yard.start("restore", row["file"], "--into", str(folder), "--apply", "--confirm", "kuma")
    try:
        wait_for(lambda: any(folder.glob("*/**/data/*")), within_s=60, what="what it unpacks")
    finally:
        process.send_signal(signal.SIGKILL)
        process.communicate(timeout=20)
    note = folder / ".dce-restore-has-not-ended"
    assert row["file"] in note.read_text()
    code, found = yard.ask("restore", row["file"], "--into", str(folder), "--apply", "--confirm", "kuma")
    assert (code, found["error"]["id"]) == (2, "usage")
    assert "half full" in found["error"]["message"]
    assert found["error"]["hint"].startswith(f"remove it (rm -r {folder})")
    subprocess.run(["rm", "-r", str(folder)], check=True)
    code, _ = yard.ask("restore", row["file"], "--into", str(folder), "--apply", "--confirm", "kuma")
    assert code == 0
    assert not note.exists()


@pytest.fixture
def place() -> Iterator[Path]:
    with tempfile.TemporaryDirectory(prefix="dce-half-", dir="/tmp", ignore_cleanup_errors=True) as name:
        Path(name).chmod(0o755)
        (Path(name) / "tmp").mkdir()
        (Path(name) / "tmp").chmod(0o1777)
        yield Path(name)


@pytest.fixture
def server(own_postgres: Postgres) -> Iterator[Postgres]:
    """Give a server; whatever databases a test leaves are removed."""
    before = set(own_postgres.databases())
    yield own_postgres
    for name in set(own_postgres.databases()) - before:
        own_postgres.sql(f'DROP DATABASE "{name}" WITH (FORCE)')


def shell_at(place: Path, module: dict[str, Any], **variables: str) -> Terminal:
    whole = {"restore_notes": "none", "container_engine": "none", **module}
    document = {"version": 1, "backup_root": str(place / "root"), "modules": [whole]}
    (place / "backup.yml").write_text(json.dumps(document), encoding="utf-8")
    path = f"{Path(sys.executable).parent}:{os.environ['PATH']}"
    return Terminal(folder=place, variables={"TMPDIR": str(place / "tmp"), "PATH": path, **variables})


def asked(shell: Terminal, *words: str) -> tuple[int, dict[str, Any]]:
    said = shell.run("backup", *words, "--format", "json")
    assert said.out.count("\n") == 1, said
    return said.code, json.loads(said.out)


def killed_when(shell: Terminal, condition: Any, *words: str, what: str) -> None:
    """Begin a restore, and kill it once something is so."""
    process = subprocess.Popen(
        shell.argv("backup", "restore", *words), cwd=shell.folder, env=shell.environment,
        stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
    )  # fmt: skip
    try:
        wait_for(condition, within_s=60, what=what)
    finally:
        process.send_signal(signal.SIGKILL)
        process.wait(timeout=20)


@pytest.mark.contract("N14")
@pytest.mark.slow
def test_a_database_whose_load_is_killed_is_no_good_backups_source_and_its_safety_backup_is_the_way_back(
    place: Path, server: Postgres
) -> None:
    server.sql("CREATE DATABASE shop")
    server.sql(
        "CREATE TABLE orders AS SELECT generate_series(1, 100) AS n; CREATE TABLE zz_pause (s float);"
        "INSERT INTO zz_pause VALUES (0);"
        "CREATE MATERIALIZED VIEW waits AS SELECT pg_sleep((SELECT max(s) FROM public.zz_pause)) IS NULL AS x;"
        "UPDATE zz_pause SET s = 60",
        database="shop",
    )
    where = {"socket": str(server.folder), "user": "boss"}
    shell = shell_at(place, {"name": "shop-postgres", "postgres": where})
    file = asked(shell, "run", "shop-postgres", "--allow-unattended")[1]["backups"][0]["file"]
    server.sql("INSERT INTO orders VALUES (101); UPDATE zz_pause SET s = 0", database="shop")

    def is_loading() -> bool:
        return "PgSleep" in server.sql("SELECT wait_event FROM pg_stat_activity WHERE wait_event IS NOT NULL")

    killed_when(shell, is_loading, file, "--apply", "--confirm", "shop-postgres", what="the load's last statement")
    half_restored(lambda *words: asked(shell, *words), "shop-postgres", file)
    (left,) = (each for each in asked(shell, "list")[1]["leftovers"] if each["kind"] == "restore")
    assert 'database "shop" is put aside as "shop_before_' in left["detail"]
    (safety,) = (row["file"] for row in asked(shell, "list")[1]["backups"] if row["purpose"] == "safety")
    assert f"dce-play backup restore {safety} --apply" in left["detail"]
    code, found = asked(shell, "recover")
    assert (code, found["error"]["id"]) == (1, "incomplete")
    code, found = asked(shell, "prune", "--keep-last", "1", "--keep-within", "1s")
    assert safety in [each["file"] for each in found["keep"]]
    server.sql("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE wait_event = 'PgSleep'")
    code, found = asked(shell, "restore", safety, "--apply", "--confirm", "shop-postgres")
    assert code == 0, found
    assert server.sql("SELECT count(*) FROM orders", database="shop") == "101"
    assert asked(shell, "require", "shop-postgres")[0] == 0
    assert asked(shell, "list")[1]["leftovers"] == []
    half = [row for row in asked(shell, "list")[1]["backups"] if "leftovers" in row["warnings"]]
    assert [row["purpose"] for row in half] == ["safety"]


@pytest.mark.contract("B4", "N14")
@pytest.mark.slow
@pytest.mark.root
def test_a_restore_that_is_killed_while_it_puts_a_database_aside_lets_sessions_in_again(
    place: Path, server: Postgres
) -> None:
    server.sql("CREATE DATABASE closed")
    server.sql("CREATE TABLE t AS SELECT 1 AS n", database="closed")
    where = {"socket": str(server.folder), "user": "boss"}
    shell = shell_at(place, {"name": "app-postgres", "postgres": where})
    file = asked(shell, "run", "app-postgres", "--allow-unattended")[1]["backups"][0]["file"]

    def state() -> str:
        return server.sql("SELECT datallowconn FROM pg_database WHERE datname = 'closed'")

    argv = ["psql", "-X", "-h", str(server.folder), "-U", "boss", "-d", "closed", "-c", "SELECT pg_sleep(300)"]
    session = subprocess.Popen(argv, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    backend = 0
    try:
        asleep = "SELECT pid FROM pg_stat_activity WHERE datname = 'closed' AND wait_event = 'PgSleep'"
        wait_for(lambda: server.sql(asleep) != "", within_s=20, what="a session")
        backend = int(server.sql(asleep))
        os.kill(backend, signal.SIGSTOP)  # it cannot be ended, so the database cannot be renamed
        words = (file, "--apply", "--confirm", "app-postgres", "--no-safety-backup")
        killed_when(shell, lambda: state() == "f", *words, what="a database that lets nobody in")
        wait_for(lambda: state() == "t", within_s=20, what="a database that lets sessions in")
    finally:
        if backend:
            os.kill(backend, signal.SIGCONT)
        session.kill()
        session.wait(timeout=20)
    assert server.sql("SELECT n FROM t", database="closed") == "1"
    assert asked(shell, "require", "app-postgres")[0] == 4


@pytest.mark.contract("N14")
@pytest.mark.slow
def test_a_vault_whose_restore_is_killed_is_in_doubt_until_somebody_says_that_it_is_whole(
    place: Path, bao: OpenBao
) -> None:
    shell = shell_at(place, {"name": "vault", "vault": {"address": bao.address}}, VAULT_TOKEN=bao.root)
    file = asked(shell, "run", "vault", "--allow-unattended")[1]["backups"][0]["file"]
    with freezing_proxy(bao.port, at=b"snapshot-force") as proxy:
        through = shell_at(
            place, {"name": "vault", "vault": {"address": f"http://127.0.0.1:{proxy.port}"}}, VAULT_TOKEN=bao.root
        )
        killed_when(through, proxy.frozen.is_set, file, "--apply", "--confirm", "vault", what="the restore's one call")
    shell = shell_at(place, {"name": "vault", "vault": {"address": bao.address}}, VAULT_TOKEN=bao.root)
    half_restored(lambda *words: asked(shell, *words), "vault", file)
    assert vault_call(bao.address, bao.root, "GET", "sys/health")["sealed"] is False
    code, found = asked(shell, "recover", "--restored", "vault")
    assert (code, len(found["removed"])) == (0, 1)
    assert asked(shell, "require", "vault")[0] == 0


@pytest.mark.contract("N14")
@pytest.mark.slow
def test_a_bucket_of_which_half_is_put_says_so_and_the_same_command_again_ends_it(
    tmp_path: Path, seaweed: SeaweedFS
) -> None:
    bucket: Bucket = seaweed.new_bucket()
    for key in ("one", "three", "two"):
        bucket.put(key, key.encode(), only_new=True)
    shell = terminal_in(tmp_path, ACCESS=seaweed.admin[0], SECRET=seaweed.admin[1])

    def define(port: int) -> None:
        keys = {"endpoint": f"http://127.0.0.1:{port}", "bucket": bucket.place.bucket,
                "access_key": "env:ACCESS", "secret_key": "env:SECRET"}  # fmt: skip
        module = {"name": "minio", "s3": keys, "restore_notes": "none"}
        whole = {"version": 1, "backup_root": str(tmp_path / "root"), "modules": [module]}
        (shell.folder / "backup.yml").write_text(json.dumps(whole))

    define(seaweed.port)
    file = asked(shell, "run", "minio", "--allow-unattended")[1]["backups"][0]["file"]
    for key in ("one", "two", "three"):
        bucket.put(key, b"newer", only_new=False)
    words = (file, "--apply", "--confirm", "minio")
    with freezing_proxy(seaweed.port, at=b"PUT /", nth=2) as proxy:
        define(proxy.port)
        killed_when(shell, proxy.frozen.is_set, *words, what="the second object's turn")
    define(seaweed.port)
    assert bucket.head("one") != bucket.head("two")
    half_restored(lambda *words: asked(shell, *words), "minio", file)
    code, found = asked(shell, "restore", *words)
    assert code == 0, found
    assert asked(shell, "list")[1]["leftovers"] == []
    assert asked(shell, "require", "minio")[0] == 0
