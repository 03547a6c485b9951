"""A restore into PostgreSQL that ends at any message it sends: all as before, or told, never a half that looks so."""

import signal
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass, field
from enum import Enum
from pathlib import Path

import pytest

from tests.support.backups import Yard, wait_for, yard_in
from tests.support.postgres_proxy import postgres_proxy
from tests.support.postgres_server import Postgres

MODULE = "shop-postgres"
OLD, NEW = "100 7", "101 7"
"""The rows of both databases in the backup, and as they are."""
OTHERS = "SELECT count(*) FROM pg_stat_activity WHERE backend_type = 'client backend' AND pid <> pg_backend_pid()"


class End(Enum):
    """How a restore ends early."""

    KILLED = "killed"
    ONE_LOST = "its connection is lost"
    ALL_LOST = "the server is out of reach for good"


@dataclass(kw_only=True)
class Shop:
    """A server with two databases, their backup, and a newer row. Commands reach it by way of a proxy."""

    server: Postgres
    yard: Yard
    words: tuple[str, ...] = ()
    at: int = 0
    end: End = End.KILLED
    seen: int = 0
    renames: list[int] = field(default_factory=list)
    """Which of the messages put a database aside."""
    is_out_of_reach: bool = False
    said: str = ""
    running: "list[subprocess.Popen[bytes]]" = field(default_factory=list)

    @property
    def note(self) -> Path:
        return self.yard.root / ".dce-backup" / f"{MODULE}.restore.json"

    def names(self) -> list[str]:
        return [name for name in self.server.databases() if name.startswith(("shop", "wiki"))]

    def fill(self, orders: int) -> None:
        """Make both databases anew, and forget every restore."""
        self.note.unlink(missing_ok=True)
        for name in self.names():
            self.server.sql(f'DROP DATABASE "{name}" WITH (FORCE)')
        self.server.sql("CREATE DATABASE shop")
        self.server.sql("CREATE DATABASE wiki")
        rows = "AS SELECT g AS n FROM generate_series(1, {}) g"
        self.server.sql(f"CREATE TABLE t {rows.format(orders)}; CREATE INDEX ON t (n)", database="shop")
        self.server.sql(f"CREATE TABLE t {rows.format(7)}", database="wiki")

    def rows(self, *names: str) -> str:
        """Return the rows of both databases, or of those that wait under other names."""
        return " ".join(self.server.sql("SELECT count(*) FROM t", database=name) for name in names or ("shop", "wiki"))

    def hear(self, message: bytes) -> bool:
        """Take note of a message; return whether the connection lives on."""
        self.seen += 1
        if b" RENAME TO " in message:
            self.renames.append(self.seen)
        if self.seen == self.at and self.end is End.KILLED:
            self.running[-1].send_signal(signal.SIGKILL)
        self.is_out_of_reach |= self.end is End.ALL_LOST and 0 < self.at <= self.seen
        return not self.is_out_of_reach and not (self.seen == self.at and self.end is End.ONE_LOST)

    def restored(self, *, at: int = 0, end: End = End.KILLED) -> int:
        """Restore, ending early at a message; return the exit code once nobody is connected any more."""
        self.at, self.end, self.seen, self.renames, self.is_out_of_reach = at, end, 0, [], False
        self.running.append(self.yard.start(*self.words))
        self.said = self.running[-1].communicate(timeout=120)[1].decode()
        wait_for(lambda: self.server.sql(OTHERS) == "0", within_s=60, what="the end of every connection")
        self.is_out_of_reach = False
        return self.running[-1].returncode

    def judge(self) -> bool:
        """Look at what a restore left that did not end well; return whether it is told as not restored."""
        waiting = sorted(name for name in self.names() if "_before_" in name)
        if self.note.exists():
            kept = {name.partition("_")[0]: name for name in waiting}
            assert self.rows(kept.get("shop", "shop"), kept.get("wiki", "wiki")) == NEW, "what was there is gone"
            return True
        if "was restored, and is unhealthy" in self.said:  # all was loaded and counted, and then the server went
            assert self.rows() == OLD
            return True
        assert waiting == [], "something waits, and nothing tells of it"
        assert self.rows() == NEW, "a half, and nothing tells of it"
        return False


@pytest.fixture
def shop(own_postgres: Postgres, tmp_path: Path) -> Iterator[Shop]:
    """Give a shop; its databases are removed at the end."""
    found = Shop(server=own_postgres, yard=yard_in(tmp_path))
    with postgres_proxy(own_postgres.folder, found.hear) as folder:
        where = {"socket": str(folder), "user": "boss"}
        found.yard.define_all({"name": MODULE, "postgres": where, "container_engine": "none", "restore_notes": "none"})
        found.fill(100)
        code, taken = found.yard.ask("run", MODULE, "--allow-unattended")
        assert code == 0, taken
        file = taken["backups"][0]["file"]
        found.words = ("restore", file, "--apply", "--confirm", MODULE, "--no-safety-backup")
        found.fill(101)
        yield found
    for name in found.names():
        own_postgres.sql(f'DROP DATABASE "{name}" WITH (FORCE)')


@pytest.mark.contract("N10", "N14")
@pytest.mark.slow
def test_a_restore_that_ends_early_leaves_all_as_before_or_says_that_it_is_not_restored(shop: Shop) -> None:
    assert shop.restored() == 0
    assert shop.rows() == OLD
    middle, second_rename = shop.seen // 2, shop.renames[1]
    for at, end, is_told in (
        (second_rename, End.ONE_LOST, False),
        (second_rename, End.ALL_LOST, True),
        (second_rename + 1, End.ONE_LOST, False),
        (middle, End.ONE_LOST, False),
        (middle, End.ALL_LOST, True),
        (middle, End.KILLED, True),
    ):
        shop.fill(101)
        assert shop.restored(at=at, end=end) != 0
        assert shop.judge() is is_told, (at, end)
    code, found = shop.yard.ask("require", MODULE)
    assert code == 4
    assert "has not ended" in found["reason"]


@pytest.mark.contract("N10", "N14")
@pytest.mark.soak
@pytest.mark.timeout(3000)
@pytest.mark.parametrize("end", End)
def test_wherever_a_restore_ends_early_it_leaves_all_as_before_or_says_so(shop: Shop, end: End) -> None:
    assert shop.restored() == 0
    last = shop.seen
    told = 0
    for at in range(1, last + 1):
        shop.fill(101)
        if shop.restored(at=at, end=end) == 0:  # the service's health was asked for again
            assert (end, shop.rows()) == (End.ONE_LOST, OLD), at
        else:
            told += shop.judge()
    assert 0 < told < last or end is End.ONE_LOST
