"""A restore in place puts aside what is there, loads, counts, and puts back when any of it fails."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import msgspec
import pytest

from dce_play.backup.engines.postgres.engine import ENGINE
from dce_play.backup.engines.postgres.put_aside import aside_name
from dce_play.backup.errors import BackupError, ErrorId
from dce_play.backup.manifest import encode_manifest
from dce_play.errors import ExitCode
from tests.support.backups import wait_for
from tests.support.engine_services import EngineServices, Record, StoredBackup, take
from tests.support.postgres_server import Postgres, postgres_server
from tests.support.postgres_tools import tools_with

STAMP = "20261128T221500Z"
FORMATS = ("sql", "custom")


@pytest.fixture
def server(own_postgres: Postgres) -> Iterator[Postgres]:
    """Give a server with a database and a role of its own; all of its databases are removed afterwards."""
    own_postgres.sql("CREATE ROLE owner LOGIN; CREATE DATABASE shop OWNER owner;")
    own_postgres.sql("CREATE TABLE t (i int); INSERT INTO t VALUES (1), (2), (3);", database="shop")
    yield own_postgres
    for name in own_postgres.databases():
        if name not in {"postgres", "template0", "template1"}:
            own_postgres.sql(f'DROP DATABASE "{name}" WITH (FORCE)')
    own_postgres.sql("DROP ROLE IF EXISTS owner, later;")


def restore(stored: StoredBackup, server: Postgres, services: EngineServices | None = None) -> None:
    ENGINE.restore(stored, server.module(), services or EngineServices(), Record(stamp=STAMP, replace=False))


def refusal(stored: StoredBackup, server: Postgres) -> BackupError:
    with pytest.raises(BackupError) as caught:
        restore(stored, server)
    return caught.value


@pytest.mark.parametrize("form", FORMATS)
@pytest.mark.contract("P9")
def test_a_restore_brings_the_rows_back_and_deletes_nothing(server: Postgres, tmp_path: Path, form: str) -> None:
    stored = take(ENGINE, server.module(format=form), EngineServices(), tmp_path / "dump")
    server.sql("DELETE FROM t; CREATE TABLE newer (i int);", database="shop")
    services = EngineServices()
    plan = ENGINE.plan_restore(stored, server.module(), services, into=None)
    assert any(item.what == "replace" and '"shop"' in item.detail for item in plan)
    assert server.sql("SELECT count(*) FROM t", database="shop") == "0"
    restore(stored, server, services)
    assert server.sql("SELECT i FROM t ORDER BY 1", database="shop") == "1\n2\n3"
    aside = f"shop_before_{STAMP}"
    assert server.sql("SELECT count(*) FROM newer", database=aside) == "0"
    assert any(aside in line for line in services.said)
    owner = "SELECT pg_get_userbyid(datdba) FROM pg_database WHERE datname = 'shop'"
    assert server.sql(owner) == "owner"


@pytest.mark.contract("P9")
def test_sessions_of_the_database_are_ended(server: Postgres, tmp_path: Path) -> None:
    stored = take(ENGINE, server.module(), EngineServices(), tmp_path / "dump")
    client = subprocess.Popen(
        ["psql", "-h", str(server.folder), "-U", "boss", "-d", "shop", "-Xq"],
        stdin=subprocess.PIPE, stderr=subprocess.PIPE,
    )  # fmt: skip
    try:
        assert client.stdin is not None
        client.stdin.write(b"BEGIN; DELETE FROM t;\n")
        client.stdin.flush()
        restore(stored, server)
        assert server.sql("SELECT count(*) FROM t", database="shop") == "3"
    finally:
        client.kill()
        client.communicate(timeout=20)


@pytest.mark.contract("P9")
def test_a_restore_that_fails_half_way_puts_everything_back(server: Postgres, tmp_path: Path) -> None:
    stored = take(ENGINE, server.module(), EngineServices(), tmp_path / "dump")
    server.sql("UPDATE t SET i = i * 10;", database="shop")
    stored.path.write_bytes(stored.path.read_bytes().replace(b"(i) FROM stdin;\n", b"(i) FROM stdin;\nx\n"))
    before = server.databases()
    error = refusal(stored, server)
    assert error.exit_code == ExitCode.FAILED
    assert "put back" in str(error)
    assert server.databases() == before
    assert server.sql("SELECT i FROM t ORDER BY 1", database="shop") == "10\n20\n30"


@pytest.mark.contract("P9", "N14")
def test_a_restore_that_fails_between_two_databases_puts_the_first_back(server: Postgres, tmp_path: Path) -> None:
    server.sql("CREATE DATABASE wiki")
    server.sql("CREATE TABLE t AS SELECT 1 AS i", database="wiki")
    stored = take(ENGINE, server.module(), EngineServices(), tmp_path / "dump")
    server.sql("UPDATE t SET i = i * 10;", database="shop")
    before = server.databases()
    argv = ["psql", "-h", str(server.folder), "-U", "boss", "-d", "wiki", "-Xc", "SELECT pg_sleep(300)"]
    session = subprocess.Popen(argv, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    asleep = "SELECT pid FROM pg_stat_activity WHERE datname = 'wiki' AND wait_event = 'PgSleep'"
    record = Record(stamp=STAMP)
    backend = 0
    try:
        wait_for(lambda: server.sql(asleep) != "", within_s=20, what="a session")
        backend = int(server.sql(asleep))
        os.kill(backend, signal.SIGSTOP)  # it cannot be ended, so the second database cannot be renamed
        with pytest.raises(BackupError, match=r"being accessed by other users.*; shop, wiki put back as before"):
            ENGINE.restore(stored, server.module(), EngineServices(), record)
    finally:
        if backend:
            os.kill(backend, signal.SIGCONT)
        session.kill()
        session.wait(timeout=20)
    assert server.databases() == before
    assert server.sql("SELECT i FROM t ORDER BY 1", database="shop") == "10\n20\n30"
    assert server.sql("SELECT i FROM t", database="wiki") == "1"
    assert not record.is_open


@pytest.mark.contract("P9", "N12")
def test_rows_that_do_not_arrive_are_missed_and_everything_is_put_back(server: Postgres, tmp_path: Path) -> None:
    stored = take(ENGINE, server.module(), EngineServices(), tmp_path / "dump")
    server.sql("UPDATE t SET i = i * 10;", database="shop")
    before = server.databases()
    losing = """case "$*" in *ON_ERROR_STOP=1*-f*) sed '/^2$/d' | exec "$REAL" "$@";; *) exec "$REAL" "$@";; esac"""
    tools = tools_with(tmp_path / "tools", psql=losing)
    with pytest.raises(BackupError, match=r"table shop: public\.t has 2 rows, the backup 3; shop put back") as caught:
        ENGINE.restore(stored, server.module(tools=str(tools)), EngineServices(), Record(stamp=STAMP))
    assert caught.value.error_id is ErrorId.VERIFY_FAILED
    assert server.databases() == before
    assert server.sql("SELECT i FROM t ORDER BY 1", database="shop") == "10\n20\n30"


@pytest.mark.contract("P9", "N2")
def test_a_dump_without_its_end_is_refused_before_anything(server: Postgres, tmp_path: Path) -> None:
    stored = take(ENGINE, server.module(), EngineServices(), tmp_path / "dump")
    stored.path.write_bytes(stored.path.read_bytes().replace(b"-- PostgreSQL database cluster dump complete", b"--"))
    server.sql("UPDATE t SET i = i * 10;", database="shop")
    before = server.databases()
    error = refusal(stored, server)
    assert (error.error_id, "put back" in str(error)) == (ErrorId.TRUNCATED, False)
    assert server.databases() == before
    assert server.sql("SELECT i FROM t ORDER BY 1", database="shop") == "10\n20\n30"


@pytest.mark.contract("P9")
def test_what_is_put_aside_gets_a_name_that_nobody_has(server: Postgres, tmp_path: Path) -> None:
    stored = take(ENGINE, server.module(), EngineServices(), tmp_path / "dump")
    server.sql("CREATE TABLE newer (i int)", database="shop")
    server.sql(f'CREATE DATABASE "shop_before_{STAMP}"')
    restore(stored, server)
    tables = "SELECT count(*) FROM pg_tables WHERE schemaname = 'public'"
    assert server.sql(tables, database="shop_before_20261128T221501Z") == "2"
    assert server.sql(tables, database=f"shop_before_{STAMP}") == "0"
    assert server.sql(tables, database="shop") == "1"


@pytest.mark.contract("P9")
def test_a_database_that_the_restore_made_is_gone_when_it_fails(server: Postgres, tmp_path: Path) -> None:
    stored = take(ENGINE, server.module(), EngineServices(), tmp_path / "dump")
    server.sql("DROP DATABASE shop")
    stored.path.write_bytes(stored.path.read_bytes().replace(b"(i) FROM stdin;\n", b"(i) FROM stdin;\nx\n"))
    before = server.databases()
    refusal(stored, server)
    assert server.databases() == before


@pytest.mark.contract("P9")
def test_the_own_password_may_change_under_a_restore_that_fails(tmp_path: Path) -> None:
    """The dump sets the password of the very role that restores; what was put aside must come back all the same."""
    with postgres_server(host_based="local all keeper scram-sha-256\n") as server:
        server.sql("CREATE ROLE keeper SUPERUSER LOGIN PASSWORD 'old secret'; CREATE DATABASE shop;")
        server.sql("CREATE TABLE t (i int); INSERT INTO t VALUES (1);", database="shop")
        stored = take(ENGINE, server.module(), EngineServices(), tmp_path / "dump")
        server.sql("ALTER ROLE keeper PASSWORD 'new secret'")
        server.sql("UPDATE t SET i = 2", database="shop")
        services = EngineServices(environment={**os.environ, "PGPW": "new secret"})
        with pytest.raises(BackupError) as caught:
            ENGINE.restore(
                stored, server.module(user="keeper", password="env:PGPW"), services, Record(stamp=STAMP, replace=False)
            )
        assert "put back" in str(caught.value)
        assert server.sql("SELECT i FROM t", database="shop") == "2"


@pytest.mark.contract("P9")
def test_roles_that_exist_keep_their_place_and_get_the_backups_settings(server: Postgres, tmp_path: Path) -> None:
    server.sql("ALTER ROLE owner CONNECTION LIMIT 7")
    stored = take(ENGINE, server.module(), EngineServices(), tmp_path / "dump")
    server.sql("ALTER ROLE owner CONNECTION LIMIT 3; CREATE ROLE later;")
    restore(stored, server)
    assert server.sql("SELECT rolconnlimit FROM pg_roles WHERE rolname = 'owner'") == "7"
    assert server.sql("SELECT count(*) FROM pg_roles WHERE rolname = 'later'") == "1"


@pytest.mark.contract("P10")
def test_objects_in_postgres_itself_are_refused_before_anything(server: Postgres, tmp_path: Path) -> None:
    server.sql("CREATE TABLE stray (i int)")
    try:
        stored = take(ENGINE, server.module(), EngineServices(), tmp_path / "dump")
    finally:
        server.sql("DROP TABLE stray")
    before = server.databases()
    error = refusal(stored, server)
    assert (error.error_id, error.exit_code) == (ErrorId.AMBIGUOUS, ExitCode.PREFLIGHT)
    assert server.databases() == before
    plan = ENGINE.plan_restore(stored, server.module(), EngineServices(), into=None)
    command = next(item.detail for item in plan if item.what == "command")
    section = command.split(" | ")[1]
    with stored.path.open("rb") as dump:
        taken = subprocess.run(["sh", "-c", section], stdin=dump, capture_output=True, check=True, timeout=20).stdout
    assert b"CREATE TABLE public.stray" in taken
    assert b"CREATE DATABASE" not in taken


@pytest.mark.contract("P10", "N14")
def test_an_older_server_is_refused(server: Postgres, tmp_path: Path) -> None:
    stored = take(ENGINE, server.module(), EngineServices(), tmp_path / "dump")
    engine = msgspec.structs.replace(stored.manifest.engine, server_version="99.0")
    stored.manifest = msgspec.structs.replace(stored.manifest, engine=engine)
    before = server.databases()
    error = refusal(stored, server)
    assert (error.error_id, error.exit_code) == (ErrorId.VERSION, ExitCode.PREFLIGHT)
    assert server.databases() == before


@pytest.mark.contract("P10")
def test_into_a_folder_is_refused(server: Postgres, tmp_path: Path) -> None:
    stored = take(ENGINE, server.module(), EngineServices(), tmp_path / "dump")
    with pytest.raises(BackupError) as caught:
        ENGINE.plan_restore(stored, server.module(), EngineServices(), into=tmp_path)
    assert caught.value.exit_code == ExitCode.USAGE


@pytest.mark.contract("P9")
def test_a_long_name_is_cut_so_that_the_stamp_stays() -> None:
    name = aside_name("x" * 63, STAMP)
    assert len(name.encode()) == 63
    assert name.endswith(f"_before_{STAMP}")


_RESTORE = """
import sys
from pathlib import Path
import msgspec
from dce_play.backup.engines.postgres.engine import ENGINE
from dce_play.backup.manifest import decode_manifest
from tests.support.engine_services import EngineServices, StoredBackup, Record
from tests.support.postgres_server import Postgres
server = Postgres(folder=Path(sys.argv[1]), pid=0)
path = Path(sys.argv[2])
stored = StoredBackup(manifest=decode_manifest(path.with_suffix(".json").read_bytes(), name="it"), path=path)
ENGINE.restore(stored, server.module(), EngineServices(), Record(stamp="20261128T221500Z", replace=False))
"""


@pytest.mark.contract("P9")
def test_ctrl_c_in_the_middle_puts_everything_back(server: Postgres, tmp_path: Path) -> None:
    stored = take(ENGINE, server.module(), EngineServices(), tmp_path / "dump")
    slow = b"COPY public.t (i) FROM stdin;\n"
    stored.path.write_bytes(stored.path.read_bytes().replace(slow, b"SELECT pg_catalog.pg_sleep(60);\n" + slow))
    stored.path.with_suffix(".json").write_bytes(encode_manifest(stored.manifest))
    server.sql("UPDATE t SET i = i * 10;", database="shop")
    before = server.databases()
    program = subprocess.Popen(
        [sys.executable, "-c", _RESTORE, str(server.folder), str(stored.path)], stderr=subprocess.DEVNULL
    )
    ends_at = time.monotonic() + 30
    while not server.sql("SELECT 1 FROM pg_stat_activity WHERE wait_event = 'PgSleep'"):
        assert time.monotonic() < ends_at
        time.sleep(0.05)
    program.send_signal(signal.SIGINT)
    assert program.wait(timeout=30) != 0
    assert server.databases() == before
    assert server.sql("SELECT i FROM t ORDER BY 1", database="shop") == "10\n20\n30"
