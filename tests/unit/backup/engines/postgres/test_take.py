"""A dump is taken whole or not at all, and every way in which it can fail has its name."""

import os
import subprocess
import threading
import time
from pathlib import Path
from typing import Any

import pytest

from dce_play.backup.engines.postgres.engine import ENGINE
from dce_play.backup.errors import BackupError, ErrorId
from dce_play.backup.facts import Consistency, Health
from dce_play.errors import ExitCode
from tests.support.engine_services import EngineServices, FileSink, check, take
from tests.support.postgres_server import ROWS, STRANGE, Postgres, postgres_server
from tests.support.postgres_tools import tools_with

FORMATS = ("sql", "custom")


def failure(services: EngineServices, server: Postgres, path: Path, **keys: Any) -> BackupError:
    with pytest.raises(BackupError) as caught:
        take(ENGINE, server.module(**keys), services, path)
    return caught.value


@pytest.mark.parametrize("form", FORMATS)
@pytest.mark.contract("P3")
def test_a_dump_counts_what_the_server_has(postgres: Postgres, tmp_path: Path, form: str) -> None:
    stored = take(ENGINE, postgres.module(format=form), EngineServices(), tmp_path / "dump")
    manifest = stored.manifest
    rows = sum(ROWS.values()) + 2
    assert manifest.counts == {"databases": 4, "roles": 2, "tables": len(ROWS) + 1, "rows": rows, "skipped": []}
    assert manifest.consistency is Consistency.LOGICAL
    assert manifest.engine.server_version == postgres.sql("SHOW server_version")
    assert manifest.format == {"sql": "sql", "custom": "pg.tar"}[form]
    assert manifest.source.where == str(postgres.folder)


@pytest.mark.contract("P4")
def test_the_health_probe_tells_a_server_from_none(postgres: Postgres) -> None:
    services = EngineServices()
    assert ENGINE.probe(postgres.module(), services, timeout_s=5) is Health.HEALTHY
    assert ENGINE.probe(postgres.module(socket="/nonexistent"), services, timeout_s=5) is Health.UNHEALTHY
    assert ENGINE.probe(postgres.module(database="none such"), services, timeout_s=5) is Health.UNHEALTHY


@pytest.mark.parametrize("form", FORMATS)
@pytest.mark.contract("P2", "N3")
def test_a_database_that_allows_no_connections_is_not_left_out_in_silence(
    own_postgres: Postgres, tmp_path: Path, form: str
) -> None:
    own_postgres.sql("CREATE DATABASE closed; ALTER DATABASE closed ALLOW_CONNECTIONS false;")
    own_postgres.sql(f'CREATE DATABASE "{STRANGE}"')
    try:
        error = failure(EngineServices(), own_postgres, tmp_path / "1", format=form)
        assert error.error_id is ErrorId.INCOMPLETE
        assert error.exit_code == ExitCode.FAILED
        assert "'closed'" in str(error)
        skipping = own_postgres.module(format=form, skip_databases=("closed", "not there"))
        assert take(ENGINE, skipping, EngineServices(), tmp_path / "2").manifest.counts["skipped"] == ["closed"]
    finally:
        own_postgres.sql(f'DROP DATABASE closed; DROP DATABASE "{STRANGE}";')


@pytest.mark.contract("P2", "N3")
def test_a_database_that_the_dump_program_leaves_out_is_found_missing(postgres: Postgres, tmp_path: Path) -> None:
    tools = tools_with(tmp_path / "tools", pg_dumpall='exec "$REAL" "$@" --exclude-database=app')
    error = failure(EngineServices(), postgres, tmp_path / "dump", tools=str(tools))
    assert error.error_id is ErrorId.INCOMPLETE
    assert "'app'" in str(error)


@pytest.mark.contract("P2")
def test_a_database_with_a_newline_in_its_name_fails_loudly(own_postgres: Postgres, tmp_path: Path) -> None:
    own_postgres.sql('CREATE DATABASE "two\nlines"')
    try:
        error = failure(EngineServices(), own_postgres, tmp_path / "dump")
        assert error.error_id is ErrorId.ENGINE_FAILED
        assert "newline" in str(error)
    finally:
        own_postgres.sql('DROP DATABASE "two\nlines"')


WAYS = {
    "nothing": ("exit 0", ErrorId.TRUNCATED),
    "half": ('"$REAL" "$@" | head -c 3000', ErrorId.TRUNCATED),
    "all but the end": ('"$REAL" "$@" | head -n -4', ErrorId.TRUNCATED),
    "an error at the start": ("echo broken >&2; exit 1", ErrorId.ENGINE_FAILED),
    "an error in the middle": ('"$REAL" "$@" | head -c 3000; echo broken >&2; exit 1', ErrorId.ENGINE_FAILED),
    "an error after its last byte": ('"$REAL" "$@"; echo broken >&2; exit 3', ErrorId.ENGINE_FAILED),
    "killed": ('"$REAL" "$@" | head -c 3000; kill -9 $$', ErrorId.ENGINE_FAILED),
}


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.contract("P1", "N1")
def test_a_dump_program_that_fails_or_stops_early_gives_no_backup(postgres: Postgres, tmp_path: Path, way: str) -> None:
    script, expected = WAYS[way]
    tools = tools_with(tmp_path / "tools", pg_dumpall=script)
    error = failure(EngineServices(), postgres, tmp_path / "dump", tools=str(tools))
    assert error.error_id is expected
    assert error.exit_code == ExitCode.FAILED
    assert expected is ErrorId.TRUNCATED or way == "killed" or "broken" in str(error)


@pytest.mark.parametrize(
    ("script", "expected"),
    [
        ('"$REAL" "$@" | head -c 900', ErrorId.VERIFY_FAILED),
        ('"$REAL" "$@"; echo broken >&2; exit 1', ErrorId.ENGINE_FAILED),
        ("exit 0", ErrorId.VERIFY_FAILED),
    ],
)
@pytest.mark.contract("P1")
def test_so_in_the_custom_format(postgres: Postgres, tmp_path: Path, script: str, expected: ErrorId) -> None:
    tools = tools_with(tmp_path / "tools", pg_dump=script)
    assert (
        failure(EngineServices(), postgres, tmp_path / "dump", format="custom", tools=str(tools)).error_id is expected
    )


@pytest.mark.contract("P1")
def test_a_full_disk_is_not_mistaken_for_the_engine(postgres: Postgres, tmp_path: Path) -> None:
    sink = FileSink(tmp_path / "dump", fails_after_bytes=2000)
    with (
        ENGINE.open(postgres.module(), EngineServices(), dry_run=False, excluding=tmp_path) as source,
        pytest.raises(BackupError) as caught,
    ):
        source.produce(sink, quiesced=False)
    sink.abort()
    assert caught.value.error_id is ErrorId.WRITE_FAILED
    assert processes_of(postgres) == []


def processes_of(server: Postgres) -> list[str]:
    """Return the command lines of client programs that speak to the server."""
    found = []
    for path in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            words = path.read_bytes().decode(errors="replace").split("\0")
        except OSError:
            continue
        if str(server.folder) in words:
            found.append(" ".join(words))
    return [words for words in found if "/data" not in words]


@pytest.mark.contract("P4")
def test_an_older_client_is_refused_with_the_fix(postgres: Postgres, tmp_path: Path) -> None:
    tools = tools_with(tmp_path / "tools", pg_dumpall='echo "pg_dumpall (PostgreSQL) 9.6" #--version')
    error = failure(EngineServices(), postgres, tmp_path / "dump", tools=str(tools))
    assert (error.error_id, error.exit_code) == (ErrorId.VERSION, ExitCode.PREFLIGHT)
    assert "postgresql-client-" in error.hint


@pytest.mark.contract("P4")
def test_no_programs_and_no_server_are_told_apart(postgres: Postgres, tmp_path: Path) -> None:
    services = EngineServices()
    missing = failure(services, postgres, tmp_path / "1", tools="/nonexistent")
    assert (missing.error_id, missing.exit_code) == (ErrorId.NO_TOOL, ExitCode.PREFLIGHT)
    unreachable = failure(services, postgres, tmp_path / "2", socket="/nonexistent")
    assert (unreachable.error_id, unreachable.exit_code) == (ErrorId.UNREACHABLE, ExitCode.PREFLIGHT)


LONG_PASSWORD = "x'\\ y" * 200
"""1,000 characters, some of which need care."""


@pytest.mark.contract("P5", "N8")
def test_a_password_of_a_thousand_characters_works_and_stays_secret(tmp_path: Path) -> None:
    with postgres_server(host_based="local all guarded scram-sha-256\n") as server:
        literal = LONG_PASSWORD.replace("'", "''")
        server.sql(f"CREATE ROLE guarded SUPERUSER LOGIN PASSWORD '{literal}'")
        seen: list[str] = []
        done = threading.Event()

        def watch() -> None:
            while not done.wait(0.01):
                seen.extend(processes_of(server))

        watcher = threading.Thread(target=watch)
        watcher.start()
        services = EngineServices(environment={**os.environ, "PGPW": LONG_PASSWORD})
        module = server.module(user="guarded", password="env:PGPW")
        try:
            stored = take(ENGINE, module, services, tmp_path / "dump")
        finally:
            done.set()
            watcher.join()
        assert any("pg_dump" in words for words in seen)
        assert not any(LONG_PASSWORD[:20] in words for words in (*seen, *stored.manifest.command))
        wrong = EngineServices(environment={**os.environ, "PGPW": "wrong password"})
        error = failure(wrong, server, tmp_path / "2", user="guarded", password="env:PGPW")
        assert (error.error_id, error.exit_code) == (ErrorId.AUTH, ExitCode.AUTHENTICATION)
        none = failure(EngineServices(), server, tmp_path / "3", user="guarded")
        assert none.error_id is ErrorId.AUTH


@pytest.mark.contract("P5")
def test_a_role_that_may_not_read_is_forbidden_and_may_leave_passwords_out(
    own_postgres: Postgres, tmp_path: Path
) -> None:
    own_postgres.sql("CREATE ROLE weak LOGIN")
    try:
        error = failure(EngineServices(), own_postgres, tmp_path / "1", user="weak")
        assert (error.error_id, error.exit_code) == (ErrorId.FORBIDDEN, ExitCode.AUTHENTICATION)
        assert "role_passwords" in error.hint
        module = own_postgres.module(user="weak", role_passwords=False)
        assert take(ENGINE, module, EngineServices(), tmp_path / "2").manifest.counts["roles"] == 2
    finally:
        own_postgres.sql("DROP OWNED BY weak; DROP ROLE weak;")


@pytest.mark.contract("P5")
@pytest.mark.root
def test_root_is_let_in_where_only_the_roles_own_user_is(tmp_path: Path) -> None:
    with postgres_server(host_based="local all nobody peer\n") as server:
        server.sql("CREATE ROLE nobody SUPERUSER LOGIN")
        module = server.module(user="nobody")
        assert ENGINE.probe(module, EngineServices(), timeout_s=20) is Health.HEALTHY
        stored = take(ENGINE, module, EngineServices(), tmp_path / "dump")
        assert stored.manifest.counts["roles"] == 2
        server.sql("ALTER ROLE nobody NOLOGIN")
        assert failure(EngineServices(), server, tmp_path / "2", user="nobody").error_id is ErrorId.AUTH


@pytest.mark.contract("P4")
def test_a_locked_table_fails_after_the_lock_wait(own_postgres: Postgres, tmp_path: Path) -> None:
    own_postgres.sql("CREATE TABLE locked (i int)")
    holder = subprocess.Popen(
        ["psql", "-h", str(own_postgres.folder), "-U", "boss", "-d", "postgres", "-Xq"], stdin=subprocess.PIPE
    )
    try:
        assert holder.stdin is not None
        holder.stdin.write(b"BEGIN; LOCK TABLE locked IN ACCESS EXCLUSIVE MODE;\n")
        holder.stdin.flush()
        ends_at = time.monotonic() + 20
        while not own_postgres.sql("SELECT 1 FROM pg_locks WHERE mode = 'AccessExclusiveLock'"):
            assert time.monotonic() < ends_at
            time.sleep(0.02)
        error = failure(EngineServices(), own_postgres, tmp_path / "dump", lock_wait=0.3)
        assert error.error_id is ErrorId.ENGINE_FAILED
    finally:
        holder.kill()
        holder.communicate(timeout=20)
        own_postgres.sql("DROP TABLE locked")


DAMAGES = ("cut", "flipped", "without its last block")


@pytest.mark.parametrize("damage", DAMAGES)
@pytest.mark.contract("P6")
def test_a_custom_dump_that_is_damaged_fails_its_check(postgres: Postgres, tmp_path: Path, damage: str) -> None:
    stored = take(ENGINE, postgres.module(format="custom"), EngineServices(), tmp_path / "dump")
    data = bytearray(stored.path.read_bytes())
    if damage == "cut":
        del data[len(data) // 2 :]
    elif damage == "without its last block":
        del data[-1024:]
    else:
        header = data.index(b"databases/app.dump\0")
        size = int(data[header + 124 : header + 135], 8)
        data[header + 512 + size - size // 3] ^= 0x10  # among the rows, compressed
    stored.path.write_bytes(data)
    with pytest.raises(BackupError) as caught:
        check(ENGINE, stored, EngineServices())
    assert caught.value.error_id in {ErrorId.TRUNCATED, ErrorId.VERIFY_FAILED}


@pytest.mark.contract("P6")
def test_a_dump_that_lost_rows_is_not_what_its_manifest_says(postgres: Postgres, tmp_path: Path) -> None:
    stored = take(ENGINE, postgres.module(), EngineServices(), tmp_path / "dump")
    lines = stored.path.read_bytes().splitlines(keepends=True)
    del lines[lines.index(b"COPY s.many (i, t) FROM stdin;\n") + 5]
    stored.path.write_bytes(b"".join(lines))
    with pytest.raises(BackupError) as caught:
        check(ENGINE, stored, EngineServices())
    assert caught.value.error_id is ErrorId.VERIFY_FAILED
    assert "rows" in str(caught.value)
