"""The engine of class A: one PostgreSQL cluster, as SQL or in the custom format."""

from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path

from dce_play.backup.definitions.model import Module
from dce_play.backup.engines.postgres.custom.check import CustomCheck
from dce_play.backup.engines.postgres.custom.source import FORMAT as CUSTOM
from dce_play.backup.engines.postgres.custom.source import CustomSource
from dce_play.backup.engines.postgres.drill import drill
from dce_play.backup.engines.postgres.restore import plan, restore
from dce_play.backup.engines.postgres.server import open_server, reach_server
from dce_play.backup.engines.postgres.source import SqlSource
from dce_play.backup.engines.postgres.sql_check import SqlCheck
from dce_play.backup.engines.postgres.tools import Tools, tools_here, tools_inside
from dce_play.backup.errors import BackupError, ErrorId
from dce_play.backup.facts import Drilled, Health, PlanItem
from dce_play.backup.manifest import Manifest
from dce_play.backup.origin import origin_container, origin_folder
from dce_play.backup.protocols import DrillOptions, EngineSource, OpenBackup, Restoring, Services
from dce_play.backup.streams import Sink
from dce_play.errors import DcePlayError


class PostgresEngine:
    """PostgreSQL. An ``Engine``."""

    @property
    def name(self) -> str:
        return "postgres"

    def probe(self, module: Module, services: Services, /, *, timeout_s: float) -> Health:
        """Ask the server for a 1."""
        try:
            answer = reach_server(module, services).query("SELECT 1", timeout_s=timeout_s)
        except DcePlayError:
            return Health.UNHEALTHY
        return Health.HEALTHY if answer.strip() == "1" else Health.UNHEALTHY

    def readiness(self, module: Module, /) -> tuple[str, ...]:
        keys = module.keys.postgres
        known = keys.socket or keys.host or module.keys.container or module.runtime_container or module.runbook
        return () if known else ("no data place: neither a container nor postgres.socket or postgres.host",)

    def open(
        self,
        module: Module,
        services: Services,
        /,
        *,
        dry_run: bool,  # noqa: ARG002 - opening touches nothing
        excluding: Path,  # noqa: ARG002 - no files
    ) -> AbstractContextManager[EngineSource]:
        return _opened(module, services)

    def quiesce_places(self, module: Module, services: Services, /) -> tuple[str, ...]:  # noqa: ARG002 - a dump
        return ()

    def check(self, manifest: Manifest, services: Services, /) -> Sink | None:
        if manifest.format == CUSTOM:
            return CustomCheck(_checking_tools(manifest, services), services, expected=manifest.counts)
        return SqlCheck(manifest.counts)

    def drill(self, backup: OpenBackup, services: Services, options: DrillOptions, /) -> Drilled:
        return drill(backup, services, options)

    def plan_restore(
        self, backup: OpenBackup, module: Module, services: Services, /, *, into: Path | None
    ) -> tuple[PlanItem, ...]:
        if into is not None:
            raise _no_folder()
        return plan(backup, module, services)

    def restore(self, backup: OpenBackup, module: Module, services: Services, restoring: Restoring, /) -> None:
        restore(backup, module, services, restoring)

    def restore_into(self, backup: OpenBackup, folder: Path, services: Services, /) -> None:  # noqa: ARG002 - refused
        raise _no_folder()


def _checking_tools(manifest: Manifest, services: Services) -> Tools:
    """Return the tools that read a stored dump: this machine's, else those of the container that it came from.

    Raises: BackupError (``no-tool``).
    """
    try:
        return tools_here("pg_restore", services)
    except BackupError:
        container = origin_container(manifest, services)
        if container is None:
            raise
        return tools_inside(container, origin_folder(manifest), services)


def _no_folder() -> BackupError:
    return BackupError(
        ErrorId.USAGE,
        "a dump of PostgreSQL cannot be restored into a folder",
        hint="restore without --into goes into a running server; cat --plain gives the SQL",
    )


@contextmanager
def _opened(module: Module, services: Services) -> Iterator[EngineSource]:
    server, facts = open_server(module, services)
    yield CustomSource(server, facts) if module.keys.postgres.format == "custom" else SqlSource(server, facts)


ENGINE = PostgresEngine()
