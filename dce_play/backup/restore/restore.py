"""Bringing a backup back: a plan to read, and with a person's word a restore that puts aside, never away."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import msgspec

from dce_play.backup.definitions.model import Module
from dce_play.backup.errors import BackupError, ErrorId
from dce_play.backup.facts import REFUSE, Health, PlanItem
from dce_play.backup.registry import engine_named
from dce_play.backup.restore.into import folder_for
from dce_play.backup.restore.progress import Progress
from dce_play.backup.service.health import Probe
from dce_play.backup.service.quiesce import NONE, Quiesced, quiesced, undo_left
from dce_play.backup.service.services import LocalServices
from dce_play.backup.store.catalog import SAFETY, Entry
from dce_play.backup.store.opened import StoredBackup
from dce_play.backup.store.restore_note import RestoreNote, end_swaps, note_path, read_note
from dce_play.backup.store.root import make_safe_root, module_lock
from dce_play.backup.take.options import Taken, TakeOptions
from dce_play.backup.take.take import TakeRun
from dce_play.backup.take.verify import verify_entry
from dce_play.errors import DcePlayError, ExitCode
from dce_play.system.clock import file_stamp, utc_stamp
from dce_play.system.counted import counted

_FOR_EVER_S = 30 * 86_400.0


class RestoreRun:
    """One restore of a backup to a module, or into a folder."""

    def __init__(
        self,
        entry: Entry,
        module: Module,
        services: LocalServices,
        root: Path,
        *,
        into: Path | None,
        identity: str | None,
    ) -> None:
        """Raises: BackupError (``usage``), for a module of another engine."""
        if module.engine != entry.manifest.engine.name:
            raise BackupError(
                ErrorId.USAGE,
                f"{entry.file} is of the engine {entry.manifest.engine.name}, {module.name} of {module.engine}",
                hint=f"name a module of the engine {entry.manifest.engine.name} with --to",
            )
        self._entry = entry
        self._module = module
        self._services = services
        self._root = root
        self._into = into
        self._identity = identity
        self._engine = engine_named(module.engine)
        self._backup = StoredBackup(entry.path, entry.manifest, services, identity=identity)

    def plan(self, *, safety: bool) -> tuple[PlanItem, ...]:
        """Return what a restore would do. Touches nothing.

        Raises: BackupError, as a restore would before it touches anything.
        """
        manifest = self._entry.manifest
        before = read_note(note_path(self._root, self._module.name), module=self._module.name)
        items = [] if before is None else [PlanItem(what="unfinished", detail=f"{before.told()}; {before.way_out()}")]
        items += [
            PlanItem(
                what="backup",
                detail=f"{self._entry.file}, {counted(manifest.bytes, 'byte')} stored, {manifest.plain_bytes} plain, "
                f"level {manifest.verification.level}, {'good' if self._entry.is_good else 'NOT GOOD'}, "
                f"{manifest.consistency}",
            ),
            *self._engine.plan_restore(self._backup, self._module, self._services, into=self._into),
        ]
        if self._into is None:
            items.append(PlanItem(what="present", detail=self._present()))
            health = Probe(self._module, self._engine, self._services).ask()
            items.append(PlanItem(what="health", detail=f"{self._module.name} is {health} now"))
            detail = f"a backup of {self._module.name} as it is, first" if safety else "none: --no-safety-backup"
            items.append(PlanItem(what="safety-backup", detail=detail))
        return tuple(items)

    def apply(self, options: TakeOptions, *, safety: bool, replace: bool) -> str | None:
        """Verify, take the safety backup, restore, look whether the service is well. Return the safety backup's file.

        Raises: BackupError.
        """
        make_safe_root(self._root)
        with module_lock(self._root, self._module.name):
            if self._into is not None:
                self._verify()
                with folder_for(self._into, self._note(None)) as folder:
                    self._engine.restore_into(self._backup, folder, self._services)
                return None
            for line in end_swaps(self._root, self._module.name):
                self._services.say(line)
            undo_left(self._root, self._module.name, self._services)
            self._verify()
            items = self._engine.plan_restore(self._backup, self._module, self._services, into=None)
            refused = any(item.what == REFUSE for item in items)
            # a refused restore raises before it touches anything, so nothing needs a safety backup
            taken = self._safety(options) if safety and not refused else None
            progress = self._restored(self._note(taken), replace=replace)
            health = Probe(self._module, self._engine, self._services).ask_until_well()
            progress.ended()
            if health is Health.UNHEALTHY:
                raise BackupError(
                    ErrorId.HEALTH_AFTER,
                    f"{self._module.name} was restored, and is unhealthy",
                    hint="what was there before was put aside, not removed",
                )
            return taken.manifest.file if taken is not None else None

    def _restored(self, note: RestoreNote, *, replace: bool) -> Progress:
        with self._held() as held:
            progress = Progress(
                note,
                note_path(self._root, self._module.name),
                stamp=file_stamp(self._services.clock.now()),
                replace=replace,
                undo_first=held.undo_first,
            )
            try:
                self._engine.restore(self._backup, self._module, self._services, progress)
            except BackupError as error:
                raise progress.failure(error) from error
        return progress

    def _note(self, taken: Taken | None) -> RestoreNote:
        """Return what a restore that begins now leaves; the safety backup is that of the last whole service."""
        before = read_note(note_path(self._root, self._module.name), module=self._module.name)
        return RestoreNote(
            module=self._module.name,
            file=self._entry.file if self._entry.path.parent == self._root else str(self._entry.path),
            began=utc_stamp(self._services.clock.now()),
            safety=(before.safety if before is not None else None)
            or (taken.manifest.file if taken is not None and before is None else None),
        )

    def _verify(self) -> None:
        verified = verify_entry(self._entry, self._services, level=2, identity=self._identity)
        if not verified.ok:
            raise BackupError(ErrorId.VERIFY_FAILED, f"{self._entry.file} is not good: {verified.findings[-1].message}")
        if self._entry.manifest.encryption is not None and self._identity is None and verified.level < 2:
            kind = self._entry.manifest.encryption.kind
            if kind == "age":
                raise BackupError(ErrorId.INVALID, f"{self._entry.file} is encrypted", hint="name the key: --identity")

    def _safety(self, options: TakeOptions) -> Taken:
        wanted = msgspec.structs.replace(
            options, purpose=SAFETY, force_unhealthy=True, include_excluded=True, level=min(2, options.level or 2)
        )
        try:
            return TakeRun(self._module, self._services, self._root, wanted).take_locked()
        except BackupError as error:
            raise BackupError(
                error.error_id,
                f"no safety backup, so nothing was changed: {error}",
                hint="restore without one, if what is there is worth nothing: --no-safety-backup",
                exit_code=ExitCode.FAILED,
            ) from error

    @contextmanager
    def _held(self) -> Iterator[Quiesced]:
        """Stop what must be stopped; nothing starts it again before we are done. A guard is there in any case."""
        mode = "stop" if self._module.keys.quiesce.mode == "stop" else NONE
        keys = msgspec.structs.replace(self._module.keys.quiesce, mode=mode, max=_FOR_EVER_S)
        module = msgspec.structs.replace(self._module, keys=msgspec.structs.replace(self._module.keys, quiesce=keys))
        with quiesced(module, self._services, self._services.containers, self._root, guarded=True) as held:
            yield held

    def _present(self) -> str:
        places = self._engine.quiesce_places(self._module, self._services)
        size = self._present_bytes()
        what = ", ".join(places) if places else f"whatever {self._module.name} holds now"
        return f"{what}; {'of unknown size' if size is None else 'about ' + counted(size, 'byte')}"

    def _present_bytes(self) -> int | None:
        """Return how much is there now, or ``None`` where nobody can tell: a plan is for services that are gone too."""
        try:
            with self._engine.open(self._module, self._services, dry_run=True, excluding=self._root) as source:
                return source.estimate_bytes()
        except DcePlayError:
            return None
