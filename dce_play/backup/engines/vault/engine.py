"""Class C: a Vault or OpenBao server, backed up by its raft snapshot.

A server whose storage is not raft makes none; then its data folder is archived, with two warnings, when one is named.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from dce_play.backup.definitions.model import Module
from dce_play.backup.engines.vault.drill import drill_snapshot
from dce_play.backup.engines.vault.restore import plan_snapshot, restore_snapshot
from dce_play.backup.engines.vault.server import VaultPlace, health, not_raft, place_of, snapshot, storage_type
from dce_play.backup.engines.vault.snapshot import checking
from dce_play.backup.errors import BackupError, ErrorId
from dce_play.backup.facts import Consistency, Drilled, EngineFacts, Health, PlanItem, Produced, SourceFacts
from dce_play.backup.manifest import Manifest
from dce_play.backup.mounted import FORMAT as MOUNTED
from dce_play.backup.mounted import files_engine, mounted_source, names_a_place
from dce_play.backup.protocols import DrillOptions, EngineSource, OpenBackup, Restoring, Services
from dce_play.backup.streams import Sink

NAME = "vault"
FORMAT = "raft-snapshot"


class SnapshotSource:
    """A server that is about to be asked for its snapshot."""

    extension = "snap"
    is_compressible = False

    def __init__(self, place: VaultPlace, token: str, version: str) -> None:
        self._place = place
        self._token = token
        self._version = version

    def estimate_bytes(self) -> None:
        """Return nothing: the server does not tell."""

    def check(self) -> Sink:
        """Return the reader of snapshots."""
        return checking()

    def produce(self, out: Sink, /, *, quiesced: bool) -> Produced:  # noqa: ARG002  # a snapshot needs no quiescing
        """Fetch the snapshot and read all of it on its way.

        Raises: BackupError: ``sealed``, ``forbidden``, ``not-raft``, ``unreachable``, ``truncated``, ``verify-failed``.
        """
        reader = checking(name="raft-snapshot-on-its-way")
        try:
            with snapshot(self._place, self._token) as streamed:
                for chunk in streamed.chunks():
                    reader.write(chunk)
                    out.write(chunk)
            reader.finish()
        except BaseException:
            reader.abort()
            raise
        return Produced(
            engine=EngineFacts(name=NAME, server_version=self._version, tool="raft snapshot API"),
            source=SourceFacts(kind="endpoint", where=self._place.address),
            format=FORMAT,
            consistency=Consistency.LOGICAL,
            counts=reader.result.counts(),
            checked=True,
        )


class VaultEngine:
    """Raft snapshots: taken, checked, drilled in a second server, restored by force."""

    name = NAME

    def probe(self, module: Module, services: Services, /, *, timeout_s: float) -> Health:
        """Return healthy for a server that is unsealed, the active one or a standby."""
        try:
            with place_of(module, services).connect(silence_s=timeout_s) as api:
                return Health.HEALTHY if health(api, total_s=timeout_s).is_well else Health.UNHEALTHY
        except BackupError:
            return Health.UNHEALTHY

    def readiness(self, module: Module, /) -> tuple[str, ...]:
        """Return what the definition lacks."""
        keys = module.keys.vault
        if keys.address or keys.data_folder or names_a_place(module):
            return ()
        return ("no data place: set vault.address",)

    @contextmanager
    def open(self, module: Module, services: Services, /, *, dry_run: bool, excluding: Path) -> Iterator[EngineSource]:
        """Look at the server's seal and storage.

        Raises: BackupError: ``sealed``, ``not-raft``, ``unreachable``, ``invalid``.
        """
        place = place_of(module, services)
        with place.connect() as api:
            state = health(api)
            if state.sealed:
                raise BackupError(ErrorId.SEALED, f"{place.address} is sealed", hint="unseal it, then try again")
            if not state.initialized:
                raise BackupError(ErrorId.SEALED, f"{place.address} is not initialised")
            storage = storage_type(api)
        if storage not in {"", "raft"}:
            folder = module.keys.vault.data_folder
            if not folder and not names_a_place(module):
                raise not_raft(place.address)
            because = f"{place.address} stores its data in {storage}, not in raft: no snapshot can be had"
            with mounted_source(
                module, services, folder=folder, engine=NAME, because=because, dry_run=dry_run, excluding=excluding
            ) as source:
                yield source
            return
        token = "" if dry_run else services.secret(module.keys.vault.token)
        yield SnapshotSource(place, token, state.version)

    def quiesce_places(self, module: Module, services: Services, /) -> tuple[str, ...]:  # noqa: ARG002  # protocol
        """Return the data folder, if one is named."""
        folder = module.keys.vault.data_folder
        return (folder,) if folder else ()

    def check(self, manifest: Manifest, services: Services, /) -> Sink | None:
        """Return the reader of snapshots, told what it must find."""
        if manifest.format == MOUNTED:
            return files_engine().check(manifest, services)
        return CountedCheck(manifest)

    def drill(self, backup: OpenBackup, services: Services, options: DrillOptions, /) -> Drilled:
        """Restore into a second server on loopback, given the original unseal keys; else read the sums."""
        if backup.manifest.format == MOUNTED:
            return files_engine().drill(backup, services, options)
        return drill_snapshot(backup, services, options)

    def plan_restore(
        self, backup: OpenBackup, module: Module, services: Services, /, *, into: Path | None
    ) -> tuple[PlanItem, ...]:
        """Return what forcing the snapshot upon the server means."""
        if backup.manifest.format == MOUNTED:
            return files_engine().plan_restore(backup, module, services, into=into)
        return plan_snapshot(backup, module, services, into=into)

    def restore(self, backup: OpenBackup, module: Module, services: Services, restoring: Restoring, /) -> None:
        """Force the snapshot upon the server."""
        if backup.manifest.format == MOUNTED:
            files_engine().restore(backup, module, services, restoring)
        else:
            restore_snapshot(backup, module, services, restoring)

    def restore_into(self, backup: OpenBackup, folder: Path, services: Services, /) -> None:
        """Refuse: a snapshot is restored into a server."""
        if backup.manifest.format != MOUNTED:
            raise BackupError(ErrorId.USAGE, "a raft snapshot is restored into a server, not into a folder")
        files_engine().restore_into(backup, folder, services)


class CountedCheck:
    """The reader of snapshots, which compares what it finds with a manifest at the end."""

    def __init__(self, manifest: Manifest) -> None:
        self._expected = manifest.counts
        self._reader = checking()

    def write(self, data: "bytes | memoryview", /) -> None:
        """Take more of the stream."""
        self._reader.write(data)

    def finish(self) -> None:
        """Compare the counts.

        Raises: BackupError (``verify-failed``, ``truncated``).
        """
        self._reader.finish()
        found = self._reader.result.counts()
        if any(found.get(key, value) != value for key, value in self._expected.items()):
            raise BackupError(ErrorId.VERIFY_FAILED, f"the snapshot holds {found}, its manifest says {self._expected}")

    def abort(self) -> None:
        """Let go of the reader."""
        self._reader.abort()


ENGINE = VaultEngine()
