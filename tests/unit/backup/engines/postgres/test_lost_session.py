"""A connection that is lost while the server works: what it does is waited for, and asked for again."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress

import psutil
import pytest

from dce_play.backup.engines.postgres import session as session_module
from dce_play.backup.engines.postgres.put_aside import planned, put_back
from dce_play.backup.engines.postgres.server import open_server
from dce_play.backup.engines.postgres.session import Session, session
from dce_play.backup.errors import BackupError, ErrorId
from tests.support.backups import wait_for
from tests.support.engine_services import EngineServices
from tests.support.postgres_server import Postgres

STAMP = "20261128T221500Z"
WAITS = f"shop_before_{STAMP}"
SLEEPING = "SELECT count(*) FROM pg_stat_activity WHERE wait_event = 'PgSleep'"

OTHERS = "SELECT count(*) FROM pg_stat_activity WHERE backend_type = 'client backend' AND pid <> pg_backend_pid()"


@pytest.fixture
def server(own_postgres: Postgres) -> Iterator[Postgres]:
    """Give a server with a database of its own, which is removed afterwards, whatever it is called then."""
    own_postgres.sql("CREATE DATABASE shop")
    yield own_postgres
    for name in ("shop", WAITS):
        own_postgres.sql(f'DROP DATABASE IF EXISTS "{name}" WITH (FORCE)')


@contextmanager
def lost_while_it_renames(server: Postgres, *, after_s: float) -> Iterator[Session]:
    """Give a session whose program is killed while the server waits before it puts the database aside."""
    opened, facts = open_server(server.module(), EngineServices())
    with session(opened, major=facts.parsed.major) as held:
        rename = (
            f"""DO $$ BEGIN PERFORM pg_sleep({after_s}); EXECUTE 'ALTER DATABASE shop RENAME TO "{WAITS}"'; END $$"""
        )
        programs = {each.pid for each in psutil.Process().children() if each.name() == "psql"}
        asking = threading.Thread(target=_ask, args=(held, rename))
        asking.start()
        wait_for(lambda: server.sql(SLEEPING) == "1", within_s=30, what="the server at work")
        for pid in programs:
            psutil.Process(pid).kill()
        asking.join(timeout=30)
        yield held


def _ask(held: Session, statement: str) -> None:
    with suppress(BackupError):
        held.do(statement)


@pytest.mark.contract("P9")
@pytest.mark.timeout(120)
def test_what_a_lost_connection_had_begun_is_waited_for_and_put_back(server: Postgres) -> None:
    with lost_while_it_renames(server, after_s=2) as held:
        assert "shop" in server.databases()
        put_back(held, [planned("shop", stamp=STAMP, connectable=True)], [], force=True)
    wait_for(lambda: server.sql(OTHERS) == "0", within_s=30, what="the end of every connection")
    assert "shop" in server.databases()
    assert WAITS not in server.databases()


@pytest.mark.contract("P9")
@pytest.mark.timeout(120)
def test_a_server_that_goes_on_for_a_lost_connection_is_told_with_what_may_wait(
    server: Postgres, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(session_module, "_LOST_S", 0.3)
    with lost_while_it_renames(server, after_s=5) as held:
        with pytest.raises(BackupError, match=f"shop may wait as {WAITS}; .*still at work") as caught:
            put_back(held, [planned("shop", stamp=STAMP, connectable=True)], [], force=True)
        assert caught.value.error_id == ErrorId.ENGINE_FAILED
    wait_for(lambda: server.sql(OTHERS) == "0", within_s=30, what="the end of its work")


@pytest.mark.contract("P9")
def test_a_statement_that_is_refused_is_told_with_the_reason_not_with_its_context(server: Postgres) -> None:
    opened, facts = open_server(server.module(), EngineServices())
    with session(opened, major=facts.parsed.major) as held:
        for _ in range(20):  # two streams tell of it, in any order
            with pytest.raises(BackupError, match=r": because$"):
                held.do("DO $$ BEGIN RAISE EXCEPTION 'because'; END $$")
        assert held.has("shop")
