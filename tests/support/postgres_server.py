"""Throw-away PostgreSQL servers on a socket of their own, run as an unprivileged user, without fsync."""

import json
import os
import pwd
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from dce_play.backup.definitions.model import Module, ModuleKeys, PostgresKeys
from tests.support.engine_services import module_of

PATIENCE_S = 60.0
SETTINGS = """
listen_addresses = ''
fsync = off
full_page_writes = off
synchronous_commit = off
shared_buffers = 16MB
max_connections = 30
autovacuum = off
"""


def programs() -> Path:
    """Return the folder of the server's programs; skip without them."""
    folders = sorted(Path("/usr/lib/postgresql").glob("*/bin"), key=lambda path: int(path.parent.name))
    if not folders:
        if os.environ.get("CI") == "true":
            pytest.fail("PostgreSQL is missing: apt-get install postgresql")
        pytest.skip("PostgreSQL is missing: apt-get install postgresql")
    return folders[-1]


def unprivileged() -> list[str]:
    """Return the argv that makes root somebody else."""
    if os.geteuid() != 0:
        return []
    nobody = pwd.getpwnam("nobody")
    return ["setpriv", f"--reuid={nobody.pw_uid}", f"--regid={nobody.pw_gid}", "--clear-groups", "--"]


@dataclass(frozen=True, kw_only=True)
class Postgres:
    """A running server. ``folder`` has its socket and, below ``data``, its cluster."""

    folder: Path
    pid: int

    def sql(self, script: str, *, database: str = "postgres", user: str = "boss") -> str:
        """Run statements; return what they print, unaligned."""
        argv = ["psql", "-h", str(self.folder), "-U", user, "-XAtq", "-v", "ON_ERROR_STOP=1", "-f", "-"]
        done = subprocess.run(
            [*argv, "-d", "dbname='" + database.replace("'", "\\'") + "'"],
            input=script, capture_output=True, text=True, timeout=PATIENCE_S, check=False,
        )  # fmt: skip
        assert done.returncode == 0, done.stderr
        return done.stdout.strip()

    def databases(self) -> list[str]:
        """Return the names of all databases."""
        names: list[str] = json.loads(self.sql("SELECT json_agg(datname ORDER BY datname) FROM pg_database"))
        return names

    def module(self, name: str = "postgres", **keys: Any) -> Module:
        """Return a module of this server."""
        section = PostgresKeys(**{"socket": str(self.folder), "user": "boss", **keys})
        return module_of(ModuleKeys(name=name, postgres=section), engine="postgres", class_name="A")


@contextmanager
def postgres_server(*, host_based: str = "", superuser: str = "boss", settings: str = "") -> Iterator[Postgres]:
    """Run a server with a superuser; ``host_based`` lines come first in ``pg_hba.conf``, ``settings`` win."""
    bin_folder = programs()
    folder = Path(tempfile.mkdtemp(prefix="dce-pg-", dir="/tmp"))
    folder.chmod(0o755)
    if os.geteuid() == 0:
        shutil.chown(folder, "nobody")
    data = folder / "data"
    become = unprivileged()
    initdb = [*become, str(bin_folder / "initdb"), "-D", str(data), "-U", superuser, "-A", "trust", "-N", "--no-locale"]
    subprocess.run([*initdb, "-E", "UTF8"], capture_output=True, timeout=PATIENCE_S, check=True, cwd=folder)
    with (data / "postgresql.conf").open("a") as file:
        file.write(f"{SETTINGS}unix_socket_directories = '{folder}'\n{settings}")
    if host_based:
        rules = data / "pg_hba.conf"
        rules.write_text(host_based + rules.read_text())
    with (folder / "log").open("wb") as log:
        process = subprocess.Popen(
            [*become, str(bin_folder / "postgres"), "-D", str(data)], stdout=log, stderr=log, cwd=folder
        )
    try:
        _await(folder)
        yield Postgres(folder=folder, pid=process.pid)
    finally:
        process.send_signal(signal.SIGINT)
        process.wait(timeout=PATIENCE_S)
        shutil.rmtree(folder)


def _await(folder: Path) -> None:
    ends_at = time.monotonic() + PATIENCE_S
    while subprocess.run(["pg_isready", "-q", "-h", str(folder)], timeout=PATIENCE_S, check=False).returncode != 0:
        assert time.monotonic() < ends_at, (folder / "log").read_text()
        time.sleep(0.05)


STRANGE = "dbname=other host=evil.example"
"""A database named like a connection string."""
FILL = r"""
CREATE TABLE "two
lines" (id int, t text);
INSERT INTO "two
lines" SELECT g, E'a\nCOPY public.x FROM stdin;\n\\.' FROM generate_series(1, 3) g;
CREATE FUNCTION trap() RETURNS text LANGUAGE sql AS $$ SELECT 'COPY public.gone (a) FROM stdin;
\connect nowhere
-- PostgreSQL database cluster dump complete
' $$;
CREATE TABLE "semi;colon'quote" (i int);
COMMENT ON TABLE "semi;colon'quote" IS 'COPY public.gone (a) FROM stdin;
\.
CREATE ROLE nobody_at_all;
';
CREATE SCHEMA s;
CREATE TABLE s.many AS SELECT g AS i, md5(g::text) AS t FROM generate_series(1, 5000) g;
CREATE TABLE s.parent (k int, t text) PARTITION BY RANGE (k);
CREATE TABLE s.child PARTITION OF s.parent FOR VALUES FROM (0) TO (100);
INSERT INTO s.parent SELECT g, 'x' FROM generate_series(0, 99) g;
CREATE TABLE s.no_columns ();
INSERT INTO s.no_columns DEFAULT VALUES;
"""
ROWS = {
    ("public", "two\nlines"): 3, ("public", "semi;colon'quote"): 0, ("s", "many"): 5000, ("s", "child"): 100,
    ("s", "no_columns"): 1,
}  # fmt: skip
"""The rows that ``FILL`` leaves in each table."""


def fill(server: Postgres) -> None:
    """Make databases, tables and a role with what a dump may trip over."""
    server.sql(f"""CREATE ROLE app LOGIN PASSWORD '{"x" * 1000}'; CREATE DATABASE app; CREATE DATABASE "{STRANGE}";""")
    server.sql(FILL, database="app")
    server.sql("CREATE TABLE here (i int); INSERT INTO here VALUES (1), (2);", database=STRANGE)
