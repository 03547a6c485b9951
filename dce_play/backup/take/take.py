"""Taking one backup of one module: refuse early, hold, read, let go, look again, verify, and only then give it a name.

``TakeRun`` does it under the module's lock. Whatever ends it early leaves neither a name nor a ``.part``.
"""

import platform
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from pathlib import Path

import msgspec

from dce_play.backup.definitions.model import Module
from dce_play.backup.errors import BackupError, ErrorId, WarningId
from dce_play.backup.facts import Health, Produced, Warned
from dce_play.backup.filters.compression import NONE, compression
from dce_play.backup.manifest import (
    CheckRecord,
    Encryption,
    HealthRecord,
    Host,
    Manifest,
    Previous,
    Samples,
    ToolFacts,
    Verification,
    encode_manifest,
)
from dce_play.backup.protocols import Engine, EngineSource, Filter
from dce_play.backup.registry import encryption_named, engine_named
from dce_play.backup.service.health import Probe
from dce_play.backup.service.quiesce import Quiesced, describe, quiesced, undo_left
from dce_play.backup.service.services import LocalServices
from dce_play.backup.store.catalog import Entry, read_catalog, sweep
from dce_play.backup.store.opened import StoredBackup
from dce_play.backup.store.part import PartFile
from dce_play.backup.store.restore_note import note_path, read_note, refuse_half_restored
from dce_play.backup.store.root import check_safe_root, make_safe_root, module_lock
from dce_play.backup.take.hooks import Hooks
from dce_play.backup.take.notes import missing_restore_notes
from dce_play.backup.take.options import REGULAR, Planned, Taken, TakeOptions, recipients
from dce_play.backup.take.pipeline import Pipeline
from dce_play.backup.take.place import (
    defined_recipients,
    encrypted_to,
    file_name,
    free_name,
    machine_id,
    refuse_without_room,
)
from dce_play.backup.take.verify import CONTENTS, STORED, read_again
from dce_play.system.clock import utc_stamp
from dce_play.system.disk import disk_space
from dce_play.system.proc import boot_id


class TakeRun:
    """One backup. Made anew for each."""

    def __init__(self, module: Module, services: LocalServices, root: Path, options: TakeOptions) -> None:
        self._recipients = options.encrypt_to or defined_recipients(module)
        self._module = encrypted_to(module, self._recipients)
        self._services = services
        self._root = root
        self._options = options
        self._engine: Engine = engine_named(module.engine)
        self._probe = Probe(module, self._engine, services)
        self._warnings: list[Warned] = []
        self._before = Health.UNKNOWN
        self._after = Health.UNKNOWN

    def plan(self) -> Planned:
        """Return what ``take`` would do. Touches nothing.

        Raises: BackupError, as ``take`` would before it touches anything.
        """
        self._refuse_excluded()
        check_safe_root(self._root)
        refuse_half_restored(self._root, self._module.name)
        with self._opened(dry_run=True) as source:
            container = self._services.container(self._module)
            return Planned(
                module=self._module.name,
                class_name=self._module.class_name,
                path=str(self._root / file_name(self._module, source, self._recipients, self._services.clock.now())),
                estimate_bytes=source.estimate_bytes(),
                free_bytes=disk_space(self._root).free_bytes,
                quiesce=describe(self._module, container),
                level=self._level,
            )

    def take(self) -> Taken:
        """Take it.

        Raises: BackupError.
        """
        self._refuse_excluded()
        make_safe_root(self._root)
        with module_lock(self._root, self._module.name):
            return self.take_locked()

    def take_locked(self) -> Taken:
        """Take it, where the caller holds the module's lock already.

        Raises: BackupError.
        """
        if not self._is_safety:
            refuse_half_restored(self._root, self._module.name)
        undo_left(self._root, self._module.name, self._services)
        for path in sweep(self._root, self._module.name):
            self._services.say(f"removed what a killed run left: {path}")
        with self._opened(dry_run=False) as source:
            self._before = self._probe.ask()
            if self._before is Health.UNHEALTHY and not (self._options.force_unhealthy or self._is_safety):
                raise BackupError(
                    ErrorId.UNHEALTHY,
                    f"{self._module.name} is unhealthy",
                    hint="heal it first, or back it up as it is with --force-unhealthy",
                )
            if self._probe.is_none:
                self._warn(WarningId.NO_HEALTH, "nothing tells whether the service is well: define health")
            previous = read_catalog(self._root, now=self._services.clock.now()).newest_good(self._module.name)
            refuse_without_room(self._module, source, self._root, previous)
            return self._take(source, previous)

    @property
    def _level(self) -> int:
        return self._module.keys.level if self._options.level is None else self._options.level

    @property
    def _is_safety(self) -> bool:
        return self._options.purpose != REGULAR

    def _take(self, source: EngineSource, previous: Entry | None) -> Taken:
        clock = self._services.clock
        filters, encryption = self._filters(source)
        started, name = free_name(self._module, source, self._recipients, self._root, clock)
        begun = clock.monotonic()
        hooks = Hooks(self._module, self._services, self._root / name)
        part = PartFile(self._root, name)
        pipeline: Pipeline | None = None
        try:
            check = source.check() if encryption is not None and self._level > 1 else None
            pipeline = Pipeline(part, filters, check)
            with hooks.promised(), self._hooked(hooks):
                produced, held, samples = self._read(source, pipeline)
            self._after = self._probe.ask_until_well()
            manifest = Manifest(
                file=name,
                module=self._module.name,
                class_name=self._module.class_name,
                purpose=self._options.purpose,
                engine=produced.engine,
                host=Host(name=platform.node(), boot_id=boot_id(), machine=machine_id()),
                source=produced.source,
                roots=produced.roots,
                compose=produced.compose,
                command=produced.command,
                format=produced.format,
                compression=next((each.kind for each in filters if each.kind in {"gzip", "zstd"}), None),
                encryption=encryption,
                started=utc_stamp(started),
                ended=utc_stamp(clock.now()),
                duration_s=round(clock.monotonic() - begun, 3),
                quiesced_s=round(held.held_s, 3),
                bytes=part.size_bytes,
                sha256=part.sha256,
                plain_bytes=pipeline.top.size_bytes,
                plain_sha256=pipeline.top.sha256,
                counts=produced.counts,
                consistency=produced.consistency,
                health=HealthRecord(before=self._before, during=samples, after=self._after),
                verification=Verification(level=0, good=True),
                operator=self._options.operator,
                tool=ToolFacts(name="dce-play", version=self._options.tool_version),
                hooks=hooks.record(),
            )
            is_whole = (
                encryption is not None or part.sha256 == pipeline.top.sha256
            )  # what was checked is what is stored
            checked_itself = produced.checked and is_whole and self._level > 1
            manifest = self._verified(part, manifest, was_checked=check is not None or checked_itself)
            manifest = self._told(manifest, produced, previous)
            part.publish(encode_manifest(manifest))
        except BaseException:
            if pipeline is not None:
                pipeline.abort()
            part.abort()
            raise
        return Taken(path=part.final, manifest=manifest, failure=self._ill_after(name))

    def _ill_after(self, name: str) -> BackupError | None:
        """Return the failure of a service that is unhealthy now that its backup is there."""
        if self._after is not Health.UNHEALTHY:
            return None
        return BackupError(
            ErrorId.HEALTH_AFTER,
            f"{self._module.name} is unhealthy after the backup, which is kept: {name}",
            hint="look at the service first; the backup itself is verified",
        )

    @contextmanager
    def _hooked(self, hooks: Hooks) -> Iterator[None]:
        """Run the hooks around a block; the last one in every case, and a failure in the block comes first."""
        try:
            hooks.before()
            yield
        except BaseException:
            try:
                hooks.after()
            except BackupError as error:
                self._services.say(str(error))
            raise
        hooks.after()

    def _read(self, source: EngineSource, pipeline: Pipeline) -> tuple[Produced, Quiesced, Samples]:
        mode = self._module.keys.quiesce.mode
        with quiesced(self._module, self._services, self._services.containers, self._root) as held:
            pipeline.top.on_chunk = held.check
            asleep = mode in {"pause", "stop"}
            with nullcontext() if asleep else self._probe.sampler() as sampler:
                produced = source.produce(pipeline.top, quiesced=mode != NONE)
                pipeline.finish()
        return produced, held, Samples() if sampler is None else sampler.counted()

    def _verified(self, part: PartFile, manifest: Manifest, *, was_checked: bool) -> Manifest:
        """Read the ``.part`` again as far as the level says.

        Raises: BackupError (``verify-failed``, ``truncated``, …).
        """
        wanted = self._level
        if wanted == 0:
            return manifest
        now = utc_stamp(self._services.clock.now())
        backup = StoredBackup(part.path, manifest, self._services)
        only_stored = manifest.encryption is not None or was_checked
        reached = read_again(backup, self._services, level=1 if only_stored else wanted)
        if was_checked:
            reached = 2
        if reached < wanted:
            self._warn(
                WarningId.LEVEL_LOWERED, f"no tool checks {manifest.format}: only the stored bytes were verified"
            )
        checks = tuple(CheckRecord(id=name, ok=True, at=now) for name in (STORED, CONTENTS)[:reached])
        verification = Verification(level=reached, good=True, checks=checks)
        return msgspec.structs.replace(manifest, verification=verification)

    def _told(self, manifest: Manifest, produced: Produced, previous: Entry | None) -> Manifest:
        """Return the manifest with its predecessor and all warnings."""
        before = None
        if previous is not None and not self._is_safety:
            change = (manifest.bytes - previous.manifest.bytes) / max(previous.manifest.bytes, 1) * 100
            before = Previous(file=previous.file, bytes=previous.manifest.bytes, change_percent=round(change, 2))
            limit = (100 - self._module.keys.shrink_warning_percent) / 100
            stored = manifest.bytes < previous.manifest.bytes * limit
            plain = manifest.plain_bytes < previous.manifest.plain_bytes * limit
            if stored and plain:
                self._warn(
                    WarningId.SHRUNK,
                    f"{-change:.0f} % smaller than {previous.file}: is everything in it that should be?",
                )
        if missing := missing_restore_notes(self._module):
            self._warn(WarningId.NO_RESTORE_NOTES, f"{missing}: write them before they are needed")
        unfinished = read_note(note_path(self._root, self._module.name), module=self._module.name)
        if unfinished is not None:
            self._warn(WarningId.LEFTOVERS, f"it may hold a half: {unfinished.told()}")
        if not self._options.operator.attended:
            self._warn(WarningId.UNATTENDED, "taken without a person, by --allow-unattended")
        return msgspec.structs.replace(manifest, previous=before, warnings=(*produced.warnings, *self._warnings))

    def _filters(self, source: EngineSource) -> tuple[list[Filter], Encryption | None]:
        keys = self._module.keys
        filters: list[Filter] = []
        if source.is_compressible and keys.compression != NONE:
            filters.append(compression(keys.compression, self._services, level=keys.compression_level))
        if not self._recipients:
            return filters, None
        kind, names = recipients(self._recipients)
        filters.append(encryption_named(kind).encrypting(names, self._services))
        return filters, Encryption(kind=kind, recipients=names)

    @contextmanager
    def _opened(self, *, dry_run: bool) -> Iterator[EngineSource]:
        with self._engine.open(self._module, self._services, dry_run=dry_run, excluding=self._root) as source:
            yield source

    def _refuse_excluded(self) -> None:
        if self._module.is_excluded and not self._options.include_excluded:
            keys = self._module.keys
            why = f"its lifecycle is {keys.lifecycle}" if keys.lifecycle != "active" else "it is not canonical"
            raise BackupError(
                ErrorId.EXCLUDED,
                f"{self._module.name} is excluded: {why}",
                hint="take it all the same with --include-excluded",
            )

    def _warn(self, warning: WarningId, message: str) -> None:
        self._warnings.append(Warned(id=warning, message=message))
