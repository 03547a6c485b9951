"""Holding a service still while it is read, and letting it go in every case.

What undoes is promised to a guard process and noted on disk before anything is done, so that our own end, of whatever
kind, leaves nothing paused, stopped or frozen; ``recover`` undoes what even the guard could not.
"""

import os
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import msgspec

from dce_play.backup.definitions.model import Module
from dce_play.backup.errors import BackupError, ErrorId
from dce_play.backup.protocols import Container, Services
from dce_play.backup.service.containers import Containers
from dce_play.backup.store.catalog import QUIESCE_NOTE
from dce_play.backup.store.root import OURS
from dce_play.errors import DcePlayError
from dce_play.system.durable.whole_files import remove_leftovers, write_atomic
from dce_play.system.process.executor import Command, Finished
from dce_play.system.process.undo_guard import UndoGuard

NONE = "none"
_FREEZER = "fsfreeze"


class Undo(msgspec.Struct, frozen=True, kw_only=True):
    """How one thing is undone."""

    what: str
    """For people: ``unpause web``."""
    argv: tuple[str, ...]


class Note(msgspec.Struct, frozen=True, kw_only=True):
    """What is quiesced, on disk for ``recover``."""

    module: str
    undo: tuple[Undo, ...]


class Quiesced:
    """Tells a run how long the service was held, and whether it was for too long."""

    def __init__(self, services: Services, max_s: float) -> None:
        self._guard: UndoGuard | None = None
        self._clock = services.clock
        self._max_s = max_s
        self._began: float | None = None
        self.held_s = 0.0

    def guarded_by(self, guard: UndoGuard) -> None:
        self._guard = guard

    def undo_first(self, argv: Sequence[str]) -> None:
        """Have a program run before anything is let go; when it fails, nothing is started again.

        Raises: BackupError (``quiesce-failed``), when there is no guard, or it is gone.
        """
        if self._guard is None:
            raise BackupError(ErrorId.QUIESCE_FAILED, "nothing was changed: no guard process runs")
        try:
            self._guard.promise(argv, first=True)
        except DcePlayError as error:
            raise BackupError(ErrorId.QUIESCE_FAILED, f"nothing was changed: {error}") from error

    def begin(self) -> None:
        self._began = self._clock.monotonic()

    def end(self) -> None:
        if self._began is not None:
            self.held_s = self._clock.monotonic() - self._began
            self._began = None

    def check(self) -> None:
        """Refuse to go on once the time is up.

        Raises: BackupError (``quiesce-failed``).
        """
        if self._began is not None and self._clock.monotonic() - self._began > self._max_s:
            raise too_long(self._max_s)


def too_long(max_s: float) -> BackupError:
    """Return the failure of a backup that took longer than the service may be held."""
    return BackupError(
        ErrorId.QUIESCE_FAILED,
        f"the service was held for longer than {max_s:g} s and was let go before all was read",
        hint="raise quiesce.max, or take less at once",
    )


def describe(module: Module, container: Container | None) -> tuple[str, ...]:
    """Return what would be done to the service, for the dry run."""
    keys = module.keys.quiesce
    match keys.mode:
        case "pause" | "stop":
            names = keys.containers or ((container.name,) if container is not None else ())
            return tuple(f"{keys.mode} {name}" for name in names)
        case "fsfreeze":
            return (f"freeze {keys.mountpoint}",)
        case "command":
            return (f"run {keys.freeze[0]}",)
    return ()


@contextmanager
def quiesced(
    module: Module, services: Services, containers: Containers, root: Path, *, guarded: bool = False
) -> Iterator[Quiesced]:
    """Hold the service while the block runs; undone at its end, whatever that is.

    What an earlier run left held is undone first. With ``guarded`` there is a guard even if nothing is held.

    Raises: BackupError: ``quiesce-failed``; ``unsafe-root`` for freezing the file system of backup_root.
    """
    keys = module.keys.quiesce
    told = Quiesced(services, keys.max)
    if keys.mode == NONE and not guarded:
        yield told
        return
    undo_left(root, module.name, services)
    steps = _steps(module, services, containers, root)
    note = quiesce_note(root, module.name)
    with UndoGuard(services.streams, services.executor, max_s=keys.max, note=str(note)) as guard:
        told.guarded_by(guard)
        try:
            record = Note(module=module.name, undo=tuple(undo for _, undo in steps))
            if steps:
                write_atomic(note, msgspec.json.encode(record), mode=0o600)
            told.begin()
            for argv, undo in steps:
                _promise(guard, undo)
                _do(services, argv)
            yield told
            told.check()
        finally:
            report = guard.undo()
            told.end()
            failed = [line for line in report.failed if not any(_is_undone(undo, line) for _, undo in steps)]
            if not failed:
                note.unlink(missing_ok=True)
        if failed:
            raise BackupError(
                ErrorId.QUIESCE_FAILED,
                f"could not undo what held {module.name} still: {'; '.join(failed)}",
                hint="dce-play backup recover, then look at the service",
            )
        if report.expired:
            raise too_long(keys.max)


def quiesce_note(root: Path, module: str) -> Path:
    """Return where the note of a module that is held lies."""
    return root / OURS / f"{module}{QUIESCE_NOTE}"


def undo_left(root: Path, module: str, services: Services) -> tuple[Undo, ...]:
    """Undo what a run that died left held, and say so. The caller holds the module's lock.

    Raises: BackupError (``quiesce-failed``).
    """
    note = quiesce_note(root, module)
    remove_leftovers(note)
    if not note.exists():
        return ()
    undone = undo_noted(note, services).undo
    for undo in undone:
        services.say(f"undone what a killed run left: {undo.what}")
    return undone


def undo_noted(path: Path, services: Services) -> Note:
    """Undo what a note tells of, and remove the note.

    Raises: BackupError (``quiesce-failed``), when something cannot be undone; the note stays.
    """
    try:
        note = msgspec.json.decode(path.read_bytes(), type=Note)
    except (OSError, msgspec.DecodeError) as error:
        raise BackupError(ErrorId.QUIESCE_FAILED, f"{path} is no note of ours: {error}") from error
    for undo in reversed(note.undo):
        finished = _run(services, undo.argv)
        if finished.exit_code != 0 and not _is_undone(undo, finished.stderr):
            raise BackupError(ErrorId.QUIESCE_FAILED, f"cannot {undo.what}: {finished.stderr.strip()}")
    path.unlink(missing_ok=True)
    return note


def _is_undone(undo: Undo, said: str) -> bool:
    """Return whether what undoes complains that there is nothing to undo. An operator's own command never does."""
    if undo.argv[0] == _FREEZER:
        return "invalid argument" in said.lower()
    return "unpause" in undo.argv and any(words in said.lower() for words in ("not paused", "only unpause paused"))


def _steps(
    module: Module, services: Services, containers: Containers, root: Path
) -> list[tuple[tuple[str, ...], Undo]]:
    keys = module.keys.quiesce
    match keys.mode:
        case "none":
            return []
        case "fsfreeze":
            _refuse_own_file_system(keys.mountpoint, root)
            thaw = Undo(what=f"thaw {keys.mountpoint}", argv=(_FREEZER, "--unfreeze", keys.mountpoint))
            return [((_FREEZER, "--freeze", keys.mountpoint), thaw)]
        case "command":
            return [(keys.freeze, Undo(what=f"run {keys.thaw[0]}", argv=keys.thaw))]
    steps = []
    for container in _chosen(module, services, containers):
        if not container.running or container.paused:
            continue  # only what ran before is held, and started again
        name = container.name  # ids change
        undo = "unpause" if keys.mode == "pause" else "start"
        argv = (*container.program, keys.mode, name)
        steps.append((argv, Undo(what=f"{undo} {name}", argv=(*container.program, undo, name))))
    return steps


def _chosen(module: Module, services: Services, containers: Containers) -> Sequence[Container]:
    names = module.keys.quiesce.containers
    if not names and module.engine == "compose":
        return services.compose_containers(module, module.project)
    if not names:
        own = services.container(module)
        if own is None:
            raise BackupError(
                ErrorId.QUIESCE_FAILED,
                f"{module.name} has no container to {module.keys.quiesce.mode}",
                hint="name it with container:, or quiesce by another mode",
            )
        return [own]
    found = []
    for name in names:
        container = containers.named(module.keys.container_engine, name)
        if container is None:
            raise BackupError(ErrorId.QUIESCE_FAILED, f"no container {name} to {module.keys.quiesce.mode}")
        found.append(container)
    return found


def _refuse_own_file_system(mountpoint: str, root: Path) -> None:
    try:
        same = os.stat(mountpoint).st_dev == root.stat().st_dev  # noqa: PTH116 - beside the other stat
    except OSError as error:
        raise BackupError(ErrorId.QUIESCE_FAILED, f"cannot freeze {mountpoint}: {error.strerror}") from error
    if same:
        raise BackupError(
            ErrorId.UNSAFE_ROOT,
            f"{mountpoint} is on the file system of {root}: frozen, it would take no backup",
            hint="put backup_root on another file system, or quiesce by another mode",
        )
    if os.stat(mountpoint).st_dev == os.stat(tempfile.gettempdir()).st_dev:  # noqa: PTH116 - as above
        raise BackupError(
            ErrorId.UNSAFE_ROOT,
            f"{mountpoint} is on the file system of {tempfile.gettempdir()}: frozen, nothing could be noted there",
            hint="point TMPDIR at another file system, or quiesce by another mode",
        )


def _promise(guard: UndoGuard, undo: Undo) -> None:
    try:
        guard.promise(undo.argv)
    except DcePlayError as error:
        raise BackupError(ErrorId.QUIESCE_FAILED, f"nothing was held: {error}") from error


def _do(services: Services, argv: tuple[str, ...]) -> None:
    try:
        finished = _run(services, argv)
    except DcePlayError as error:
        raise BackupError(ErrorId.QUIESCE_FAILED, str(error), hint=error.hint) from error
    if finished.exit_code != 0:
        said = finished.stderr.strip() or f"exit code {finished.exit_code}"
        raise BackupError(ErrorId.QUIESCE_FAILED, f"{' '.join(argv[:3])} failed: {said}")


def _run(services: Services, argv: tuple[str, ...]) -> Finished:
    return services.executor.run(Command(argv=argv, timeout_s=120.0, tidies_up=True))
