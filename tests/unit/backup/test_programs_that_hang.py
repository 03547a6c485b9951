"""A program that never ends is given up, and what wanted it says so. Each is a script that sleeps."""

import os
from collections.abc import Callable
from pathlib import Path

import pytest

from dce_play.backup.definitions.model import ComposeKeys, HookKeys, Module, ModuleKeys
from dce_play.backup.engines.compose import engine as compose
from dce_play.backup.engines.postgres import tools as postgres_tools
from dce_play.backup.engines.redis import programs as redis_programs
from dce_play.backup.engines.vault import drill as vault_drill
from dce_play.backup.engines.vault.server import VaultPlace
from dce_play.backup.errors import BackupError, ErrorId, WarningId
from dce_play.backup.service import containers
from dce_play.backup.take import hooks
from tests.support.engine_services import EngineServices, module_of
from tests.support.real_engines import free_ports


@pytest.fixture
def services(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> EngineServices:
    """Give services whose every program of another's is one that hangs."""
    programs = tmp_path / "bin"
    programs.mkdir()
    for name in ("podman", "docker", "podman-compose", "pg_dumpall", "redis-server", "hook", "bao"):
        (programs / name).write_text("#!/bin/sh\nexec sleep 600\n", encoding="utf-8")
        (programs / name).chmod(0o755)
    path = f"{programs}:/usr/bin:/bin"
    monkeypatch.setenv("PATH", path)
    return EngineServices({"PATH": path})


def module(keys: ModuleKeys) -> Module:
    return module_of(keys, engine="files", class_name="E")


def ask_containers(services: EngineServices, _: Path) -> None:
    containers.Containers(services.executor, services.environment, services.say).named("podman", "x")


def run_hook(services: EngineServices, folder: Path) -> None:
    keys = ModuleKeys(name="m", hooks=HookKeys(before=(str(folder / "bin" / "hook"),)))
    hooks.Hooks(module(keys), services, folder / "file").before()


def ask_pg(services: EngineServices, folder: Path) -> None:
    postgres_tools.tools_here("pg_dumpall", services, folder=str(folder / "bin"))


def ask_redis(services: EngineServices, folder: Path) -> None:
    only = EngineServices({"PATH": str(folder / "bin")})
    only.executor = services.executor
    redis_programs.server_program(only, written_by="7.0.15")


def start_vault(services: EngineServices, folder: Path) -> None:
    place = VaultPlace(address=f"http://127.0.0.1:{free_ports(1)[0]}", namespace="", ca_file="")
    server = vault_drill.DrillServer(argv=(str(folder / "bin" / "bao"),), place=place, folder=folder, version="")
    with vault_drill._running(server, services):
        pass


@pytest.mark.parametrize(
    ("where", "bound", "use", "error_id", "words"),
    [
        (containers, "_PATIENCE_S", ask_containers, ErrorId.UNREACHABLE, "no answer in 0.5 s"),
        (hooks, "_TIMEOUT_S", run_hook, ErrorId.HOOK_FAILED, "the before hook"),
        (postgres_tools, "_PATIENCE_S", ask_pg, ErrorId.NO_TOOL, "no pg_dumpall"),
        (redis_programs, "_PATIENCE_S", ask_redis, ErrorId.NO_TOOL, "no redis-server"),
        (vault_drill, "_PATIENCE_S", start_vault, ErrorId.TIMEOUT, "did not start"),
    ],
    ids=["containers", "hook", "pg_dumpall", "redis-server", "bao"],
)
def test_a_program_that_hangs_is_given_up(
    services: EngineServices,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    where: object,
    bound: str,
    use: Callable[[EngineServices, Path], None],
    error_id: ErrorId,
    words: str,
) -> None:
    monkeypatch.setattr(where, bound, 0.5)
    with pytest.raises(BackupError, match=words) as caught:
        use(services, tmp_path)
    assert caught.value.error_id is error_id
    assert not sleeping(tmp_path)


def test_a_compose_program_that_hangs_leaves_the_backup_without_its_hash(
    services: EngineServices, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(compose, "_PATIENCE_S", 0.5)
    keys = ModuleKeys(name="m", compose=ComposeKeys(project_root=str(tmp_path)))
    with compose.ComposeEngine().open(module(keys), services, dry_run=False, excluding=tmp_path) as source:
        facts, warnings = source._configuration()  # type: ignore[attr-defined]
    assert facts.compose_config_sha256 == ""
    assert [each.id for each in warnings] == [WarningId.COMPOSE_DIGEST_UNKNOWN]
    assert not sleeping(tmp_path)


def sleeping(folder: Path) -> list[int]:
    """Return the processes that still run a script of ours."""
    found = []
    for path in Path("/proc").glob("[0-9]*"):
        try:
            environ = (path / "environ").read_bytes()
            if str(folder / "bin").encode() in environ and int(path.name) != os.getpid():
                found.append(int(path.name))
        except OSError:
            continue
    return found
