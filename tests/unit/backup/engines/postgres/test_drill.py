"""A drill restores a dump into a server of its own, finds what differs, and leaves nothing behind."""

import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import msgspec
import pytest

from dce_play.backup.engines.postgres.cluster import Throwaway
from dce_play.backup.engines.postgres.counting import count_rows
from dce_play.backup.engines.postgres.drill import _MOST_DIFFERENCES, _compare
from dce_play.backup.engines.postgres.dump.record import DumpRecord, TableRows
from dce_play.backup.engines.postgres.engine import ENGINE
from dce_play.backup.engines.postgres.server import reach_server
from dce_play.backup.errors import BackupError, ErrorId
from dce_play.backup.protocols import DrillOptions
from tests.support.engine_services import EngineServices, StoredBackup, take
from tests.support.postgres_server import ROWS, Postgres

FORMATS = ("sql", "custom")


@pytest.fixture
def place(monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """Give a folder that an unprivileged user can reach, as TMPDIR; it must be empty afterwards."""
    with tempfile.TemporaryDirectory(prefix="dce-place-", dir="/tmp") as name:
        Path(name).chmod(0o755)
        monkeypatch.setattr(tempfile, "tempdir", name)
        yield Path(name)


def servers_below(folder: Path) -> list[str]:
    """Return the command lines of servers that run on data below a folder."""
    found = []
    for path in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            words = path.read_bytes().decode(errors="replace").replace("\0", " ")
        except OSError:
            continue
        if f"-D {folder}" in words:
            found.append(words)
    return found


def changed(stored: StoredBackup, change: Callable[[bytes], bytes]) -> StoredBackup:
    """Change the stored stream; its manifest stays."""
    stored.path.write_bytes(change(stored.path.read_bytes()))
    return stored


@pytest.mark.parametrize("form", FORMATS)
@pytest.mark.contract("P7")
def test_a_drill_restores_every_row_and_leaves_nothing(
    postgres: Postgres, tmp_path: Path, place: Path, form: str
) -> None:
    stored = take(ENGINE, postgres.module(format=form), EngineServices(), tmp_path / "dump")
    before = postgres.databases()
    drilled = ENGINE.drill(stored, EngineServices(), DrillOptions())
    assert drilled.differences == ()
    assert drilled.level == 3
    assert drilled.expected == drilled.restored
    assert drilled.restored["rows"] == sum(ROWS.values()) + 2
    assert list(place.iterdir()) == []
    assert servers_below(place) == []
    assert postgres.databases() == before


@pytest.mark.contract("P7")
@pytest.mark.parametrize("more", [0, 1])
def test_a_drill_names_so_many_tables(postgres: Postgres, tmp_path: Path, more: int) -> None:
    server = reach_server(postgres.module(), EngineServices())
    stored = take(ENGINE, postgres.module(), EngineServices(), tmp_path / "dump")
    there = len(count_rows(server, [each.name for each in server.facts().databases if each.connectable]).rows)
    tables = [
        TableRows(database="none", table=f"public.t{number}", rows=1)
        for number in range(_MOST_DIFFERENCES - there + more)
    ]
    record = DumpRecord(databases=(), roles=(), tables=tuple(tables), own_objects=(), flaw="")
    made = Throwaway(
        server=server, folder=tmp_path, superuser="boss", run_as=(), owner=None, seen_as=tmp_path, descriptor=-1
    )
    found = _compare(made, record, stored.manifest).differences
    assert sum(each.what.startswith("rows of ") for each in found) == _MOST_DIFFERENCES


@pytest.mark.contract("P7", "N12")
def test_a_dump_that_lacks_rows_differs_from_its_manifest(postgres: Postgres, tmp_path: Path, place: Path) -> None:
    def without_a_row(dump: bytes) -> bytes:
        lines = dump.splitlines(keepends=True)
        del lines[lines.index(b"COPY s.many (i, t) FROM stdin;\n") + 1]
        return b"".join(lines)

    stored = take(ENGINE, postgres.module(), EngineServices(), tmp_path / "dump")
    rows = stored.manifest.counts["rows"]
    assert isinstance(rows, int)
    drilled = ENGINE.drill(changed(stored, without_a_row), EngineServices(), DrillOptions())
    assert [(each.what, each.expected, each.restored) for each in drilled.differences] == [
        ("rows, by the manifest", rows, rows - 1)
    ]


@pytest.mark.contract("P7", "N12")
def test_rows_that_a_trigger_throws_away_are_missed(own_postgres: Postgres, tmp_path: Path, place: Path) -> None:
    own_postgres.sql("CREATE DATABASE lossy")
    try:
        own_postgres.sql("CREATE TABLE t (i int); INSERT INTO t VALUES (1), (2);", database="lossy")
        stored = take(ENGINE, own_postgres.module(), EngineServices(), tmp_path / "dump")
    finally:
        own_postgres.sql("DROP DATABASE lossy")
    eater = b"CREATE FUNCTION eat() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RETURN NULL; END $$;\n"
    eater = eater.replace(b"eat", b"public.eat") + (
        b"CREATE TRIGGER eat BEFORE INSERT ON public.t FOR EACH ROW EXECUTE FUNCTION public.eat();\n"
    )
    copy = b"COPY public.t (i) FROM stdin;\n"
    drilled = ENGINE.drill(
        changed(stored, lambda dump: dump.replace(copy, eater + copy)), EngineServices(), DrillOptions()
    )
    assert [(each.what, each.expected, each.restored) for each in drilled.differences] == [
        ("rows of lossy: public.t", 2, 0),
        ("rows", 2, 0),
    ]


@pytest.mark.contract("P7", "N12")
def test_sql_that_does_not_run_fails_the_drill_and_leaves_nothing(
    postgres: Postgres, tmp_path: Path, place: Path
) -> None:
    stored = take(ENGINE, postgres.module(), EngineServices(), tmp_path / "dump")
    broken = changed(stored, lambda dump: dump.replace(b"CREATE SCHEMA s;", b"CREATE SCHEMAS s;"))
    with pytest.raises(BackupError) as caught:
        ENGINE.drill(broken, EngineServices(), DrillOptions())
    assert caught.value.error_id is ErrorId.VERIFY_FAILED
    assert "SCHEMAS" in str(caught.value)
    assert list(place.iterdir()) == []
    assert servers_below(place) == []


@pytest.mark.contract("P8")
def test_a_drill_that_cannot_be_made_keeps_nothing(postgres: Postgres, tmp_path: Path, place: Path) -> None:
    stored = take(ENGINE, postgres.module(), EngineServices(), tmp_path / "dump")
    broken = changed(stored, lambda dump: dump.replace(b"CREATE SCHEMA s;", b"CREATE SCHEMAS s;"))
    with pytest.raises(BackupError):
        ENGINE.drill(broken, EngineServices(), DrillOptions(keep=True))
    assert list(place.iterdir()) == []
    assert servers_below(place) == []


@pytest.mark.contract("P7", "N12")
def test_half_a_dump_fails_the_drill(postgres: Postgres, tmp_path: Path, place: Path) -> None:
    stored = take(ENGINE, postgres.module(), EngineServices(), tmp_path / "dump")
    half = changed(stored, lambda dump: dump[: len(dump) // 2])
    with pytest.raises(BackupError) as caught:
        ENGINE.drill(half, EngineServices(), DrillOptions())
    assert caught.value.error_id in {ErrorId.TRUNCATED, ErrorId.VERIFY_FAILED}
    assert list(place.iterdir()) == []


@pytest.mark.contract("P8")
def test_a_tablespace_is_made_in_the_drills_own_folder(own_postgres: Postgres, tmp_path: Path, place: Path) -> None:
    folder = own_postgres.folder / "fast disk"
    subprocess.run(["install", "-d", "-o", str(own_postgres.folder.stat().st_uid), folder], check=True)
    own_postgres.sql(f"CREATE TABLESPACE fast LOCATION '{folder}';")
    own_postgres.sql("CREATE DATABASE placed TABLESPACE fast;")
    own_postgres.sql("CREATE TABLE t AS SELECT 1 AS i", database="placed")
    try:
        stored = take(ENGINE, own_postgres.module(), EngineServices(), tmp_path / "dump")
        inside = sorted(folder.rglob("*"))
        assert ENGINE.drill(stored, EngineServices(), DrillOptions()).differences == ()
        assert sorted(folder.rglob("*")) == inside
    finally:
        own_postgres.sql("DROP DATABASE placed;")
        own_postgres.sql("DROP TABLESPACE fast;")


@pytest.mark.contract("P8")
def test_a_drill_that_is_kept_says_where_it_runs(postgres: Postgres, tmp_path: Path, place: Path) -> None:
    stored = take(ENGINE, postgres.module(), EngineServices(), tmp_path / "dump")
    drilled = ENGINE.drill(stored, EngineServices(), DrillOptions(keep=True))
    folder = next(place.iterdir())
    try:
        assert str(folder) in drilled.kept
        assert servers_below(folder)
        psql = drilled.kept.partition(": ")[2].partition(";")[0].split()
        done = subprocess.run([*psql, "-XAtc", "SELECT 1"], capture_output=True, text=True, timeout=20, check=False)
        assert done.stdout == "1\n"
    finally:
        os.kill(int((folder / "data" / "postmaster.pid").read_text().split()[0]), signal.SIGINT)
    ends_at = time.monotonic() + 20
    while (folder / "data" / "postmaster.pid").exists():
        assert time.monotonic() < ends_at
        time.sleep(0.05)


_DRILL = """
import sys
from pathlib import Path
from dce_play.backup.protocols import DrillOptions
from dce_play.backup.engines.postgres.cluster import throwaway
from dce_play.backup.engines.postgres.tools import drill_tools
from tests.support.engine_services import EngineServices
services = EngineServices()
with throwaway(drill_tools(services, major=0), services, DrillOptions(folder=Path(sys.argv[1]))) as made:
    print(made.folder, flush=True)
    sys.stdin.read()
"""


@pytest.mark.contract("P8")
def test_a_drill_that_is_killed_leaves_no_process(place: Path) -> None:
    program = subprocess.Popen(
        [sys.executable, "-c", _DRILL, str(place)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    assert program.stdout is not None
    folder = Path(program.stdout.readline().strip())
    assert servers_below(folder)
    program.kill()
    program.communicate(timeout=20)
    ends_at = time.monotonic() + 10
    while servers_below(folder):
        assert time.monotonic() < ends_at
        time.sleep(0.05)


@pytest.mark.contract("P7")
def test_a_manifest_of_a_newer_server_is_refused(postgres: Postgres, tmp_path: Path) -> None:
    stored = take(ENGINE, postgres.module(), EngineServices(), tmp_path / "dump")
    engine = msgspec.structs.replace(stored.manifest.engine, server_version="99.1")
    stored.manifest = msgspec.structs.replace(stored.manifest, engine=engine)
    with pytest.raises(BackupError) as caught:
        ENGINE.drill(stored, EngineServices(), DrillOptions())
    assert caught.value.error_id is ErrorId.VERSION


@pytest.mark.contract("P8")
def test_a_folder_that_only_root_can_reach_will_do(postgres: Postgres, tmp_path: Path) -> None:
    stored = take(ENGINE, postgres.module(), EngineServices(), tmp_path / "dump")
    with tempfile.TemporaryDirectory(prefix="dce-g-", dir="/tmp") as short:
        place = Path(short) / "in"
        place.mkdir()
        Path(short).chmod(0o700)
        assert ENGINE.drill(stored, EngineServices(), DrillOptions(folder=place)).differences == ()
        assert list(place.iterdir()) == []
