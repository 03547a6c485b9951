"""Databases in containers: dumped and saved by the programs inside, with no port and no socket outside."""

import os
import subprocess
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Literal

import pytest

from dce_play.backup.definitions.model import ModuleKeys, PostgresKeys, RedisKeys
from dce_play.backup.engines.postgres.engine import ENGINE as POSTGRES
from dce_play.backup.engines.redis.engine import ENGINE as REDIS
from dce_play.backup.facts import Health
from dce_play.backup.protocols import Container, DrillOptions
from dce_play.backup.service.containers import Containers
from dce_play.system.process.executor import LocalExecutor
from dce_play.system.redact import Masker
from tests.support.engine_services import EngineServices, check, module_of, take
from tests.support.podman import Podman
from tests.support.postgres_server import SETTINGS, programs, unprivileged

pytestmark = [pytest.mark.slow, pytest.mark.root]

PASSWORD = "marker-password-never-shown"


def services_for(podman: Podman, name: str, **extra: str) -> EngineServices:
    environment = {**podman.environment, **extra}
    found = Containers(LocalExecutor(environment, Masker()), environment, print).called(("podman",), name)
    assert isinstance(found, Container)
    return EngineServices(environment=environment, container_found=found)


def wait_for_health(ask: Callable[[], Health]) -> None:
    ends_at = time.monotonic() + 30
    while ask() is not Health.HEALTHY:
        assert time.monotonic() < ends_at
        time.sleep(0.2)


def command_lines() -> set[str]:
    found = set()
    for path in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            found.add(path.read_bytes().decode(errors="replace").replace("\0", " "))
        except OSError:
            continue
    return found


@pytest.mark.parametrize("form", ["sql", "custom"])
@pytest.mark.contract("P11")
def test_a_postgres_container_is_dumped_by_its_own_programs(
    podman: Podman, tmp_path: Path, form: Literal["sql", "custom"]
) -> None:
    bin_folder = programs()
    data = Path(f"/tmp/dce-pgc-{os.getpid()}-{form}")
    data.mkdir()
    try:
        os.chown(data, 65534, 65534)
        initdb = [*unprivileged(), str(bin_folder / "initdb"), "-D", str(data / "db"), "-U", "boss", "-N"]
        subprocess.run([*initdb, "--no-locale", "-A", "trust"], capture_output=True, check=True, timeout=60, cwd=data)
        with (data / "db" / "postgresql.conf").open("a") as file:
            file.write(f"{SETTINGS}unix_socket_directories = '/run'\n")
        options = ("-v", f"{data}:/data", "--user", "65534:65534", "--tmpfs", "/run:mode=1777")
        server = (str(bin_folder / "postgres"), "-D", "/data/db")
        with podman.container(f"pg-{form}", *server, options=options) as name:
            keys = PostgresKeys(socket="/run", user="boss", tools=str(bin_folder), format=form, password="env:PGPW")
            module = module_of(ModuleKeys(name="pg", postgres=keys), engine="postgres", class_name="A")
            services = services_for(podman, name, PGPW=PASSWORD)
            wait_for_health(lambda: POSTGRES.probe(module, services, timeout_s=5))
            seen: set[str] = set()
            done = threading.Event()

            def watch() -> None:
                while not done.wait(0.02):
                    seen.update(command_lines())

            watcher = threading.Thread(target=watch)
            watcher.start()
            try:
                stored = take(POSTGRES, module, services, tmp_path / "dump")
            finally:
                done.set()
                watcher.join()
            assert stored.manifest.source.kind == "container"
            assert stored.manifest.source.container is not None
            assert stored.manifest.command[:2] == ("podman", "exec")
            assert any("exec" in line and "pg_dumpall" in line for line in seen)
            assert not any(PASSWORD in line for line in seen)
            assert PASSWORD not in podman.run("inspect", name)
            without = EngineServices(environment={**services.environment, "PATH": podman_only(tmp_path)})
            check(POSTGRES, stored, without)
        assert POSTGRES.drill(stored, services, DrillOptions()).differences == ()
    finally:
        subprocess.run(["rm", "-rf", str(data)], check=True)


def podman_only(folder: Path) -> str:
    """Return a PATH with no database's programs on it."""
    place = folder / "bin"
    place.mkdir(exist_ok=True)
    for program in ("podman", "runc", "conmon", "sh"):
        found = subprocess.run(["which", program], capture_output=True, text=True, check=False).stdout.strip()
        if found and not (place / program).exists():
            (place / program).symlink_to(found)
    return str(place)


@pytest.mark.contract("R9")
def test_a_redis_containers_mount_is_found_and_its_rewriting_held(podman: Podman, tmp_path: Path) -> None:
    data = Path(f"/tmp/dce-rec-{os.getpid()}")
    data.mkdir()
    try:
        options = ("-v", f"{data}:/data", "--tmpfs", "/run:mode=1777")
        argv = ("redis-server", "--port", "0", "--unixsocket", "/run/s", "--dir", "/data", "--save", "")
        with podman.container(
            "redis-a", f"/usr/bin/{argv[0]}", *argv[1:], "--appendonly", "yes", options=options
        ) as name:
            module = module_of(ModuleKeys(name="r", redis=RedisKeys(socket="/run/s")), engine="redis", class_name="B")
            services = services_for(podman, name)
            wait_for_health(lambda: REDIS.probe(module, services, timeout_s=5))
            podman.run("exec", name, "/usr/bin/redis-cli", "-s", "/run/s", "SET", "a", "1")
            stored = take(REDIS, module, services, tmp_path / "backup")
            assert stored.manifest.counts == {"keys": 1, "databases": {"0": 1}}
            assert stored.manifest.roots[0].source == str(data)
            assert stored.manifest.roots[0].destination == "/data"
            held = podman.run("exec", name, "/usr/bin/redis-cli", "-s", "/run/s", "CONFIG", "GET", "auto-aof-rewrite-*")
            assert "100" in held.split()
            without = EngineServices(environment={**services.environment, "PATH": podman_only(tmp_path)})
            check(REDIS, stored, without)
        assert REDIS.drill(stored, services, DrillOptions()).differences == ()
    finally:
        subprocess.run(["rm", "-rf", str(data)], check=True)
