"""The commands of docs/how-to/restore-class-A.md, -B.md, -E.md and -G.md, run as they stand there."""

import re
import shutil
import subprocess
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.backups import DATA, yard_in
from tests.support.command_line import Terminal
from tests.support.pages import commands, run_command
from tests.support.postgres_server import postgres_server
from tests.support.redis_server import PATIENCE_S, Redis, fill, redis_server


@pytest.fixture
def folder() -> Iterator[Path]:
    """Give a folder with a name short enough for sockets, that an unprivileged user can reach."""
    with tempfile.TemporaryDirectory(prefix="dce-page-", dir="/tmp") as name:
        Path(name).chmod(0o755)
        yield Path(name)


@pytest.mark.contract("P9")
def test_class_a_is_restored_as_the_page_says(folder: Path) -> None:
    with postgres_server() as server, postgres_server(superuser="boot") as new:
        server.sql("CREATE DATABASE shop")
        server.sql("CREATE TABLE orders AS SELECT generate_series(1, 100) AS n", database="shop")
        keys = f"{{socket: {server.folder}, user: boss}}"
        (folder / "backup.yml").write_text(
            f"version: 1\nbackup_root: {folder}/root\nmodules:\n  - {{name: postgres, postgres: {keys}}}\n"
        )
        terminal = Terminal(folder=folder)
        extra = {
            "PGHOST": str(server.folder), "PGUSER": "boss", "PGDATABASE": "postgres", "NEW_SERVER": str(new.folder),
            "TMPDIR": str(folder),
        }  # fmt: skip
        for command in commands("restore-class-A.md"):
            if "--apply" in command:
                server.sql("DELETE FROM orders WHERE n > 50", database="shop")
            said = run_command(command, terminal, extra)
            if "--apply" in command:
                assert server.sql("SELECT count(*) FROM orders", database="shop") == "100"
            if "_before" in command:
                assert "shop_before_" in said
        assert new.sql("SELECT count(*) FROM orders", database="shop", user="boot") == "100"


@pytest.mark.contract("R7")
def test_class_b_is_restored_as_the_page_says(folder: Path) -> None:
    with redis_server("--appendonly", "yes") as server:
        fill(server)
        keys = f"{{socket: {server.socket}, data_folder: {server.folder}}}"
        (folder / "backup.yml").write_text(
            f"version: 1\nbackup_root: {folder}/root\nmodules:\n  - {{name: redis, redis: {keys}}}\n"
        )
        terminal = Terminal(folder=folder)
        before = server.cli("INFO", "keyspace")
        restored = Redis(folder=folder / "restored", pid=0)
        extra = {"FOLDER": str(restored.folder), "SOCKET": str(restored.socket), "TMPDIR": str(folder)}
        process = None
        try:
            for command in commands("restore-class-B.md"):
                if command.startswith("redis-cli"):
                    process = start(restored)
                said = run_command(command, terminal, extra)
            assert re.findall(r"db\d+:keys=\d+", said) == re.findall(r"db\d+:keys=\d+", before)
        finally:
            if process is not None:
                process.kill()
                process.wait(timeout=PATIENCE_S)


@pytest.mark.contract("B4", "N14")
def test_class_e_is_restored_as_the_page_says(tmp_path: Path) -> None:
    yard = yard_in(tmp_path)
    yard.define(name="uptime-kuma", container_engine="none")
    folder = tmp_path / "restored"
    for command in commands("restore-class-E.md"):
        if "--apply" in command and "--into" not in command:
            (yard.data / "a.txt").write_text("newer\n")
            shutil.rmtree(yard.data / "sub")
        run_command(command, yard.terminal, {"FOLDER": str(folder)})
    by_hand = folder.with_name("restored.by-hand")
    for place in (yard.data, folder / str(yard.data)[1:], by_hand / str(yard.data)[1:]):
        assert {name: (place / name).read_text() for name in DATA} == DATA
    (aside,) = yard.data.parent.glob("data.before-*")
    assert (aside / "a.txt").read_text() == "newer\n"


def test_class_g_is_restored_into_a_folder_as_the_page_says(tmp_path: Path) -> None:
    yard = yard_in(tmp_path)
    (yard.data / "compose.yaml").write_text("services: {}\n")
    (yard.data / ".env").write_text("KEY=value\n")
    yard.define(name="agaria-postgres", files=None, compose={"project_root": str(yard.data)}, container_engine="none")
    assert yard.ask("run", "agaria-postgres", "--allow-unattended")[0] == 0
    folder = tmp_path / "restored"
    for command in commands("restore-class-G.md"):
        run_command(command, yard.terminal, {"FOLDER": str(folder)})
    assert (folder / str(yard.data)[1:] / ".env").read_text() == "KEY=value\n"


def start(server: Redis) -> "subprocess.Popen[bytes]":
    """Start a server on a restored folder, as the page's third step says."""
    program = shutil.which("redis-server")
    assert program is not None
    argv = [program, "--port", "0", "--unixsocket", str(server.socket), "--dir", str(server.folder)]
    process = subprocess.Popen([*argv, "--appendonly", "yes"], stdout=subprocess.DEVNULL, stdin=subprocess.DEVNULL)
    ends_at = time.monotonic() + PATIENCE_S
    ping = ["redis-cli", "-s", str(server.socket), "PING"]
    while subprocess.run(ping, capture_output=True, timeout=PATIENCE_S, check=False).stdout != b"PONG\n":
        assert time.monotonic() < ends_at
        time.sleep(0.05)
    return process
