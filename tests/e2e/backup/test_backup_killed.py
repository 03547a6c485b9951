"""SIGKILL of a drill, and of a run of several modules: no process, no folder of theirs is left, whatever the engine."""

import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.support.backups import wait_for, yard_in
from tests.support.command_line import Terminal
from tests.support.postgres_server import Postgres
from tests.support.real_engines import OpenBao
from tests.support.redis_server import fill, redis_server

_LEFT_WITHIN_S = 10.0


@pytest.fixture
def place() -> Iterator[Path]:
    with tempfile.TemporaryDirectory(prefix="dce-killed-", dir="/tmp", ignore_cleanup_errors=True) as name:
        Path(name).chmod(0o755)
        (Path(name) / "tmp").mkdir()
        (Path(name) / "tmp").chmod(0o1777)
        yield Path(name)


def processes_in(folder: Path) -> list[tuple[int, str]]:
    """Return the processes that name the folder in their argv, or work in it."""
    found = []
    for entry in Path("/proc").iterdir():
        if not entry.name.isdigit() or int(entry.name) == os.getpid():
            continue
        try:
            said = (entry / "cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace")
            works_in = str((entry / "cwd").readlink())
        except OSError:
            continue
        if str(folder) in said or works_in.startswith(str(folder)):
            found.append((int(entry.name), said))
    return found


def terminal_at(place: Path, module: dict[str, Any], **variables: str) -> Terminal:
    document = {"version": 1, "backup_root": str(place / "root"), "modules": [{"restore_notes": "none", **module}]}
    (place / "backup.yml").write_text(json.dumps(document), encoding="utf-8")
    return Terminal(folder=place, variables={"TMPDIR": str(place / "tmp"), **variables})


def drill_is_killed(shell: Terminal, module: str, *words: str, server: str) -> None:
    """Take a backup, kill its drill once the throw-away server runs (or its folder is there), and look what is left."""
    said = shell.run("backup", "run", module, "--allow-unattended")
    assert said.code == 0, said
    temporary = shell.folder / "tmp"
    process = subprocess.Popen(
        shell.argv("backup", "drill", f"{module}@latest", *words),
        cwd="/",
        env={**shell.environment, "DCE_BACKUP_MODULES": str(shell.folder / "backup.yml")},
        stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
    )  # fmt: skip
    try:
        if server:
            wait_for(lambda: any(server in each for _, each in processes_in(temporary)), within_s=60, what=server)
        else:
            wait_for(lambda: any(temporary.glob("dce-*/data/*")), within_s=60, what="what it unpacks")
    finally:
        process.send_signal(signal.SIGKILL)
        process.wait(timeout=20)
    deadline = time.monotonic() + _LEFT_WITHIN_S
    while (left := (processes_in(temporary), list(temporary.iterdir()))) != ([], []):
        assert time.monotonic() < deadline, left
        time.sleep(0.1)


@pytest.mark.contract("N10")
def test_a_killed_drill_of_files_leaves_nothing_not_even_what_may_not_be_written_to(place: Path) -> None:
    data = place / "data"
    (data / "locked").mkdir(parents=True)
    for number in range(3000):
        (data / f"file-{number}").write_bytes(b"x" * 4096)
    (data / "locked" / "file").write_text("x")
    (data / "locked").chmod(0o500)
    shell = terminal_at(place, {"name": "kuma", "files": {"paths": [str(data)]}, "health": {"none": True}})
    drill_is_killed(shell, "kuma", server="")


def slow_to_load(place: Path) -> Path:
    """Make a redis-server that takes a second a key to load what it starts with; return its folder."""
    folder = place / "bin"
    folder.mkdir()
    program = folder / "redis-server"
    own = shutil.which("redis-server")
    delay = "--key-load-delay 1000000"
    program.write_text(f'#!/bin/sh\ncase "$1" in --version|-v) exec {own} "$@";; esac\nexec {own} "$@" {delay}\n')
    program.chmod(0o755)
    return folder


@pytest.mark.contract("N10")
def test_a_killed_drill_of_redis_leaves_nothing(place: Path) -> None:
    with redis_server() as redis:
        fill(redis)
        where = {"socket": str(redis.socket), "data_folder": str(redis.folder)}
        module = {"name": "cache-redis", "redis": where}
        shell = terminal_at(place, module, PATH=f"{slow_to_load(place)}:{os.environ['PATH']}")
        drill_is_killed(shell, "cache-redis", server="redis-server")  # its title has no options


@pytest.mark.contract("N10")
def test_a_killed_drill_of_postgres_leaves_nothing(place: Path, postgres: Postgres) -> None:
    module = {"name": "app-postgres", "postgres": {"socket": str(postgres.folder), "user": "boss"}}
    drill_is_killed(terminal_at(place, module), "app-postgres", server="postgres -D")


@pytest.mark.contract("N10")
@pytest.mark.slow
def test_a_killed_drill_of_a_vault_leaves_nothing(place: Path, bao: OpenBao) -> None:
    shell = terminal_at(
        place, {"name": "vault", "vault": {"address": bao.address}},
        PATH=f"{Path(sys.executable).parent}:{os.environ['PATH']}", VAULT_TOKEN=bao.root, UNSEAL=bao.unseal,
    )  # fmt: skip
    drill_is_killed(shell, "vault", "--unseal", "env:UNSEAL", server="server -config")


@pytest.mark.contract("B4", "N10")
def test_a_killed_run_of_several_modules_ends_them_all_and_each_lets_go_of_what_it_held(tmp_path: Path) -> None:
    yard = yard_in(tmp_path)
    common = {"restore_notes": "none", "health": {"none": True}, "files": {"paths": [str(yard.data)]}}
    names = ("one", "two")
    yard.define_all(
        *(
            {
                "name": name,
                "quiesce": {"mode": "command", "freeze": ["touch", str(tmp_path / f"{name}-held")],
                            "thaw": ["rm", str(tmp_path / f"{name}-held")]},

                **common,
            }
            for name in names
        )
    )  # fmt: skip
    held = [tmp_path / f"{name}-held" for name in names]
    big = yard.data / "big"
    with big.open("wb") as file:
        file.write(os.urandom(200 << 20))
    process = yard.start("run", *names, "--jobs", "2", "--allow-unattended")
    try:
        wait_for(lambda: all(path.exists() for path in held), within_s=30, what="holding both")
    finally:
        process.send_signal(signal.SIGKILL)
        process.communicate(timeout=20)
    wait_for(lambda: not any(path.exists() for path in held), within_s=10, what="letting go of both")
    wait_for(lambda: not processes_in(tmp_path), within_s=10, what="the end of every process")
    assert [name for name in yard.names() if not name.startswith(".")] == []


@pytest.mark.contract("B4", "N6")
def test_the_after_hook_of_a_killed_run_runs_all_the_same_and_once_of_one_that_was_not(tmp_path: Path) -> None:
    yard = yard_in(tmp_path)
    begun, log = tmp_path / "begun", tmp_path / "log"
    hooks = {"before": ["touch", str(begun)], "after": ["sh", "-c", f"echo $DCE_BACKUP_MODULE in $PWD >> {log}"]}
    yard.define(hooks=hooks)
    with (yard.data / "big").open("wb") as file:
        file.write(os.urandom(200 << 20))
    process = yard.start("run", "kuma", "--allow-unattended")
    try:
        wait_for(begun.exists, within_s=30, what="the first hook")
    finally:
        process.send_signal(signal.SIGKILL)
        process.communicate(timeout=20)
    wait_for(log.exists, within_s=10, what="the last hook")
    wait_for(lambda: not processes_in(tmp_path), within_s=10, what="the end of every process")
    line = f"kuma in {yard.terminal.folder}\n"
    assert log.read_text() == line
    (yard.data / "big").unlink()
    yard.take()
    assert log.read_text() == line * 2


@pytest.mark.contract("B4", "N6")
def test_what_a_killed_run_and_its_killed_guard_left_held_is_let_go_before_the_next_one_holds_it(
    tmp_path: Path,
) -> None:
    yard = yard_in(tmp_path)
    held = tmp_path / "held"
    yard.define(quiesce={"mode": "command", "freeze": ["mkdir", str(held)], "thaw": ["rmdir", str(held)]})
    big = yard.data / "big"
    with big.open("wb") as file:
        file.write(os.urandom(200 << 20))
    process = yard.start("run", "kuma", "--allow-unattended")
    try:
        wait_for(held.exists, within_s=30, what="holding it")
        guards = [pid for pid, said in processes_in(tmp_path) if "undo_guard_process" in said]
        for pid in guards:
            os.kill(pid, signal.SIGKILL)
    finally:
        process.send_signal(signal.SIGKILL)
        process.communicate(timeout=20)
    assert len(guards) == 1
    assert held.exists()
    big.unlink()
    said = yard.run("run", "kuma", "--allow-unattended")
    assert said.code == 0, said
    assert "undone what a killed run left: run rmdir" in said.err
    assert not held.exists()
    assert yard.ask("list")[1]["leftovers"] == []


@pytest.mark.contract("B4", "N6")
def test_what_holds_a_service_is_undone_also_when_it_kills_us_before_it_ends(tmp_path: Path) -> None:
    yard = yard_in(tmp_path)
    held = tmp_path / "held"
    freeze = ["sh", "-c", f"touch {held}; kill -9 $PPID"]
    yard.define(quiesce={"mode": "command", "freeze": freeze, "thaw": ["rm", str(held)]})
    process = yard.start("run", "kuma", "--allow-unattended")
    process.communicate(timeout=60)
    assert process.returncode == -signal.SIGKILL
    wait_for(lambda: not processes_in(tmp_path), within_s=10, what="the end of every process")
    assert not held.exists()
    assert [left["kind"] for left in yard.ask("list")[1]["leftovers"]] == ["part"]
