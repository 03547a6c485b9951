"""``dce-play backup`` of PostgreSQL and Redis from the command line: what it says, and what is left when it fails."""

import json
import os
import signal
import stat
import subprocess
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.support.command_line import Said, Terminal
from tests.support.postgres_server import Postgres
from tests.support.postgres_tools import tools_with
from tests.support.redis_server import KEYS, Redis, fill, redis_server


@pytest.fixture
def folder() -> Iterator[Path]:
    with tempfile.TemporaryDirectory(prefix="dce-cli-", dir="/tmp") as name:
        Path(name).chmod(0o755)
        yield Path(name)


@pytest.fixture(scope="module")
def redis() -> Iterator[Redis]:
    with redis_server() as running:
        fill(running)
        yield running


def define(folder: Path, name: str, engine: str, **keys: object) -> None:
    modules = [{"name": name, engine: keys}]
    (folder / "backup.yml").write_text(
        json.dumps({"version": 1, "backup_root": str(folder / "root"), "modules": modules})
    )


def backup(folder: Path, verb: str, *words: str, **variables: str) -> tuple[Said, Any]:
    """Run a verb with JSON; return how it ended, and the object."""
    allowed = ["--allow-unattended"] if verb == "run" and "--dry-run" not in words else []
    terminal = Terminal(folder=folder, variables={"TMPDIR": str(folder), **variables})
    said = terminal.run("backup", verb, *allowed, "--format", "json", *words)
    assert len(said.out.splitlines()) == 1, said.err
    return said, json.loads(said.out)


def kept(folder: Path) -> list[str]:
    """Return the names in backup_root that a person would take for something."""
    root = folder / "root"
    return sorted(path.name for path in root.iterdir() if path.name != ".dce-backup") if root.exists() else []


@pytest.mark.contract("P3")
@pytest.mark.parametrize("form", ["sql", "custom"])
def test_postgres_is_taken_listed_verified_and_drilled(postgres: Postgres, folder: Path, form: str) -> None:
    define(folder, "postgres", "postgres", socket=str(postgres.folder), user="boss", format=form)
    said, dry = backup(folder, "run", "postgres", "--dry-run")
    assert (said.code, kept(folder)) == (0, [])
    assert dry["planned"][0]["class"] == "A"
    said, ran = backup(folder, "run", "postgres")
    assert said.code == 0, said.err
    taken = ran["backups"][0]
    assert taken["file"].endswith({"sql": ".sql.gz", "custom": ".pg.tar"}[form])
    assert (taken["level"], taken["consistency"], taken["counts"]["databases"]) == (2, "logical", 4)
    assert taken["health"] == {"before": "healthy", "after": "healthy"}
    assert stat.S_IMODE(Path(taken["path"]).stat().st_mode) == 0o600
    said, verified = backup(folder, "verify", "postgres@latest")
    assert (said.code, verified["results"][0]["level"]) == (0, 2)
    said, drilled = backup(folder, "drill", "postgres@latest")
    assert (said.code, drilled["differences"]) == (0, [])
    assert drilled["expected"] == drilled["restored"]


@pytest.mark.contract("R3")
@pytest.mark.parametrize("reach", [True, False])
def test_redis_is_taken_listed_verified_and_drilled(redis: Redis, folder: Path, reach: bool) -> None:
    place = {"data_folder": str(redis.folder)} if reach else {}
    define(folder, "redis", "redis", socket=str(redis.socket), **place)
    said, ran = backup(folder, "run", "redis")
    assert said.code == 0, said.err
    taken = ran["backups"][0]
    assert taken["file"].endswith(".tar.gz" if reach else ".rdb.gz")
    assert taken["counts"] == {"keys": sum(KEYS.values()), "databases": KEYS}
    said, verified = backup(folder, "verify", "redis@latest")
    assert (said.code, verified["results"][0]["level"]) == (0, 2)
    said, drilled = backup(folder, "drill", "redis@latest")
    assert (said.code, drilled["differences"]) == (0, [])


@pytest.mark.contract("P1")
@pytest.mark.parametrize(
    ("script", "error"),
    [
        ("exit 0", "truncated"),
        ('"$REAL" "$@" | head -c 3000', "truncated"),
        ('"$REAL" "$@"; echo its last words >&2; exit 1', "engine-failed"),
    ],
)
def test_a_dump_that_fails_leaves_nothing(postgres: Postgres, folder: Path, script: str, error: str) -> None:
    tools = tools_with(folder / "tools", pg_dumpall=script)
    define(folder, "postgres", "postgres", socket=str(postgres.folder), user="boss", tools=str(tools))
    said, ran = backup(folder, "run", "postgres")
    assert (said.code, ran["failed"][0]["error"], ran["failed"][0]["exit_code"]) == (1, error, 1)
    assert error == "truncated" or "its last words" in ran["failed"][0]["message"]
    assert kept(folder) == []


@pytest.mark.contract("R1", "N1")
def test_a_save_that_fails_leaves_nothing(folder: Path) -> None:
    with redis_server() as server:
        server.cli("SET", "old", "1")
        server.cli("SAVE")
        server.cli("SET", "new", os.urandom(50_000).hex())
        subprocess.run(["prlimit", f"--pid={server.pid}", "--fsize=20000:"], check=True)
        define(folder, "redis", "redis", socket=str(server.socket), data_folder=str(server.folder))
        said, ran = backup(folder, "run", "redis")
    assert (said.code, ran["failed"][0]["error"]) == (1, "engine-failed")
    assert kept(folder) == []


@pytest.mark.contract("P1")
def test_a_killed_dump_leaves_at_most_a_part_that_the_next_run_sweeps(postgres: Postgres, folder: Path) -> None:
    tools = tools_with(folder / "tools", pg_dumpall='"$REAL" "$@" | head -c 3000; sleep 20')
    define(folder, "postgres", "postgres", socket=str(postgres.folder), user="boss", tools=str(tools))
    terminal = Terminal(folder=folder, variables={"TMPDIR": str(folder)})
    program = subprocess.Popen(
        terminal.argv("backup", "run", "postgres", "--allow-unattended"), cwd=folder, env=terminal.environment
    )
    ends_at = time.monotonic() + 30
    while not any(name.startswith(".") and name.endswith(".part") for name in kept(folder)):
        assert time.monotonic() < ends_at
        time.sleep(0.05)
    program.send_signal(signal.SIGKILL)
    program.wait(timeout=20)
    assert all(name.endswith(".part") for name in kept(folder))
    define(folder, "postgres", "postgres", socket=str(postgres.folder), user="boss")
    said, ran = backup(folder, "run", "postgres")
    assert said.code == 0, said.err
    assert len(ran["backups"]) == 1
    assert not any(name.endswith(".part") for name in kept(folder))


@pytest.mark.contract("P5")
def test_no_secret_is_written_anywhere(own_postgres: Postgres, folder: Path) -> None:
    secret = "marker-password-never-shown"
    own_postgres.sql(f"CREATE ROLE marked SUPERUSER LOGIN PASSWORD '{secret}'")
    try:
        keys = {"socket": str(own_postgres.folder), "user": "marked", "password": "env:PGPW"}
        define(folder, "postgres", "postgres", **keys)
        said, ran = backup(folder, "run", "postgres", "--log-file", str(folder / "log"), PGPW=secret)
    finally:
        own_postgres.sql("DROP ROLE marked")
    assert said.code == 0, said.err
    written = [said.out, said.err, (folder / "log").read_text() if (folder / "log").exists() else ""]
    written += [path.read_text() for path in (folder / "root").rglob("*.json")]
    assert not any(secret in text or "SCRAM" in text for text in written)
    assert ran["backups"][0]["counts"]["roles"] == 2


@pytest.mark.contract("P10", "N14")
def test_a_refused_restore_takes_no_safety_backup(own_postgres: Postgres, folder: Path) -> None:
    define(folder, "postgres", "postgres", socket=str(own_postgres.folder), user="boss")
    own_postgres.sql("CREATE TABLE stray (i int)")
    try:
        assert backup(folder, "run", "postgres")[0].code == 0
    finally:
        own_postgres.sql("DROP TABLE stray")
    before = kept(folder)
    said, restored = backup(folder, "restore", "postgres@latest", "--apply", "--confirm", "postgres")
    assert (said.code, restored["error"]["id"]) == (4, "ambiguous")
    assert kept(folder) == before
    said, planned = backup(folder, "restore", "postgres@latest")
    assert said.code == 0
    assert {"refuse", "command"} <= {item["what"] for item in planned["plan"]}


@pytest.mark.contract("P8", "R6")
@pytest.mark.parametrize("engine", ["postgres", "redis"])
def test_a_drill_works_below_a_long_path_that_is_roots_alone(
    postgres: Postgres, redis: Redis, folder: Path, engine: str
) -> None:
    keys = {"socket": str(postgres.folder), "user": "boss"} if engine == "postgres" else {"socket": str(redis.socket)}
    define(folder, engine, engine, **keys)
    assert backup(folder, "run", engine)[0].code == 0
    place = folder / ("long" * 30)
    place.mkdir(mode=0o700)
    said, drilled = backup(folder, "drill", f"{engine}@latest", "--drill-dir", str(place))
    assert (said.code, drilled["differences"]) == (0, [])
    assert list(place.iterdir()) == []
