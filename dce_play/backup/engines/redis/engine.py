"""The engine of class B: one Redis server, its data folder or the snapshot that it sends."""

import os
import shutil
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path

from dce_play.backup.definitions.model import Module
from dce_play.backup.engines.redis.drill import drill
from dce_play.backup.engines.redis.folder_check import folder_check
from dce_play.backup.engines.redis.folder_source import FORMAT as FOLDER
from dce_play.backup.engines.redis.folder_source import FolderSource
from dce_play.backup.engines.redis.link import open_link
from dce_play.backup.engines.redis.places import find_place
from dce_play.backup.engines.redis.restore import plan, refuse_in_place
from dce_play.backup.engines.redis.stream_check import StreamCheck
from dce_play.backup.engines.redis.stream_source import StreamSource
from dce_play.backup.engines.redis.unpacking import make_folder
from dce_play.backup.errors import BackupError, ErrorId
from dce_play.backup.facts import Drilled, Health, PlanItem
from dce_play.backup.manifest import Manifest
from dce_play.backup.origin import origin_container
from dce_play.backup.protocols import DrillOptions, EngineSource, OpenBackup, Restoring, Services
from dce_play.backup.streams import Sink
from dce_play.errors import DcePlayError


class RedisEngine:
    """Redis. An ``Engine``."""

    @property
    def name(self) -> str:
        return "redis"

    def probe(self, module: Module, services: Services, /, *, timeout_s: float) -> Health:
        """Ask the server for a PONG."""
        try:
            answer = open_link(module, services).ask("PING", timeout_s=timeout_s)
        except DcePlayError:
            return Health.UNHEALTHY
        return Health.HEALTHY if answer.strip() == "PONG" else Health.UNHEALTHY

    def readiness(self, module: Module, /) -> tuple[str, ...]:
        keys = module.keys.redis
        known = keys.socket or keys.host or module.keys.container or module.runtime_container or module.runbook
        return () if known else ("no data place: neither a container nor redis.socket or redis.host",)

    def open(
        self,
        module: Module,
        services: Services,
        /,
        *,
        dry_run: bool,  # noqa: ARG002 - opening touches nothing
        excluding: Path,  # noqa: ARG002 - only files that the server names
    ) -> AbstractContextManager[EngineSource]:
        return _opened(module, services)

    def quiesce_places(self, module: Module, services: Services, /) -> tuple[str, ...]:
        try:
            place = find_place(open_link(module, services))
        except BackupError:
            return ()
        return () if place is None else (str(place.folder),)

    def check(self, manifest: Manifest, services: Services, /) -> Sink | None:
        here = shutil.which("redis-check-rdb", path=services.environment.get("PATH"))
        container = None if here else origin_container(manifest, services)
        if manifest.format == FOLDER:
            return folder_check(services, container=container, expected=manifest.counts)
        return StreamCheck(services, container=container, expected=manifest.counts)

    def drill(self, backup: OpenBackup, services: Services, options: DrillOptions, /) -> Drilled:
        return drill(backup, services, options)

    def plan_restore(
        self,
        backup: OpenBackup,
        module: Module,
        services: Services,
        /,
        *,
        into: Path | None,
    ) -> tuple[PlanItem, ...]:
        return plan(backup, module, services, into=into)

    def restore(self, backup: OpenBackup, module: Module, services: Services, restoring: Restoring, /) -> None:  # noqa: ARG002 - refused
        raise refuse_in_place(module)

    def restore_into(self, backup: OpenBackup, folder: Path, services: Services, /) -> None:  # noqa: ARG002 - one for all
        make_folder(backup, folder, owners=os.geteuid() == 0)


@contextmanager
def _opened(module: Module, services: Services) -> Iterator[EngineSource]:
    link = open_link(module, services)
    server = link.info("server")
    version = server.get("redis_version", "")
    if not version:
        raise BackupError(ErrorId.ENGINE_FAILED, f"{link.where}: INFO tells no version")
    place = find_place(link)
    yield StreamSource(link, version=version) if place is None else FolderSource(link, place, version=version)


ENGINE = RedisEngine()
