"""Several modules: one after the other in this process, or side by side in a process tree each."""

import os
import select
import signal
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

import msgspec

from dce_play.backup.definitions.model import Module
from dce_play.backup.errors import BackupError, ErrorId
from dce_play.backup.facts import Warned
from dce_play.backup.protocols import DrillOptions
from dce_play.backup.restore.drill import drill_entry
from dce_play.backup.service.services import LocalServices
from dce_play.backup.store.catalog import read_entry
from dce_play.backup.store.names import manifest_name
from dce_play.backup.take.options import Taken, TakeOptions
from dce_play.backup.take.take import TakeRun
from dce_play.backup.targets.upload import targets_of, upload_all
from dce_play.cli.backup.ending import Stopped
from dce_play.cli.backup.office import failure
from dce_play.errors import DcePlayError, ExitCode
from dce_play.system.process.dying import end_with_parent


class BackupRow(msgspec.Struct, frozen=True, kw_only=True):
    """A backup as ``run`` tells of it."""

    module: str
    class_name: str = msgspec.field(name="class")
    engine: str
    file: str
    path: str
    manifest: str
    bytes: int
    level: int
    consistency: str
    counts: dict[str, Any]
    health: dict[str, str]
    warnings: tuple[Warned, ...]
    duration_s: float


class FailedRow(msgspec.Struct, frozen=True, kw_only=True):
    """A module whose backup failed, or whose backup is there and something else failed."""

    module: str
    error: str
    message: str
    hint: str
    exit_code: int


class Outcome(msgspec.Struct, frozen=True, kw_only=True):
    """All of it."""

    backups: tuple[BackupRow, ...] = ()
    failed: tuple[FailedRow, ...] = ()


def failed_row(module: str, error: DcePlayError | OSError) -> FailedRow:
    """Return a failure as the JSON has it."""
    told = failure(error)
    code = error.exit_code if isinstance(error, DcePlayError) else ExitCode.FAILED
    return FailedRow(module=module, error=told["id"], message=told["message"], hint=told["hint"], exit_code=int(code))


def take_all(
    modules: Sequence[Module], services: LocalServices, root: Path, options: TakeOptions, *, jobs: int
) -> Outcome:
    """Take a backup of each module; all are tried.

    Raises: Stopped; the children have ended by then.
    """
    if jobs == 1 or len(modules) == 1:
        return joined([take_one(module, services, root, options) for module in modules])
    return joined(_side_by_side(modules, services, root, options, jobs))


def take_one(module: Module, services: LocalServices, root: Path, options: TakeOptions) -> Outcome:
    """Take one, and drill it where that is wanted; what went wrong is in the outcome.

    Raises: Stopped.
    """
    try:
        targets_of(module, services)  # a secret or a library that they lack is told before anything is touched
        taken = TakeRun(module, services, root, options).take()
    except (DcePlayError, OSError) as error:
        return Outcome(failed=(failed_row(module.name, error),))
    failed = [] if taken.failure is None else [failed_row(module.name, taken.failure)]
    try:
        upload_all(taken.path, module, services)
    except (DcePlayError, OSError) as error:
        failed.append(failed_row(module.name, error))
    level = taken.manifest.verification.level
    if options.drill:
        try:
            level = _drill(taken, services)
        except (DcePlayError, OSError) as error:
            failed.append(failed_row(module.name, error))
    return Outcome(backups=(_row(module, taken, level),), failed=tuple(failed))


def joined(outcomes: Sequence[Outcome]) -> Outcome:
    """Return several outcomes as one."""
    return Outcome(
        backups=tuple(row for outcome in outcomes for row in outcome.backups),
        failed=tuple(row for outcome in outcomes for row in outcome.failed),
    )


def _drill(taken: Taken, services: LocalServices) -> int:
    entry = read_entry(taken.path)
    if entry is None:
        raise BackupError(ErrorId.VERIFY_FAILED, f"{taken.path} is gone, or its manifest")
    drilled = drill_entry(entry, services, DrillOptions())
    if drilled.differences:
        first = drilled.differences[0]
        raise BackupError(
            ErrorId.VERIFY_FAILED,
            f"the drill restored something else: {first.what}: {first.restored}, expected {first.expected}",
            hint=f"dce-play backup drill {taken.path.name}",
        )
    return drilled.level


def _row(module: Module, taken: Taken, level: int) -> BackupRow:
    manifest = taken.manifest
    return BackupRow(
        module=module.name,
        class_name=manifest.class_name,
        engine=manifest.engine.name,
        file=manifest.file,
        path=str(taken.path),
        manifest=str(taken.path.with_name(manifest_name(manifest.file))),
        bytes=manifest.bytes,
        level=level,
        consistency=manifest.consistency,
        counts=manifest.counts,
        health={"before": manifest.health.before, "after": manifest.health.after},
        warnings=manifest.warnings,
        duration_s=manifest.duration_s,
    )


def _side_by_side(
    modules: Sequence[Module], services: LocalServices, root: Path, options: TakeOptions, jobs: int
) -> list[Outcome]:
    """Fork a child a module, so many at once; each hands its outcome back through a pipe."""
    waiting = list(modules)
    running: dict[int, tuple[int, Module, bytearray]] = {}
    done: dict[str, Outcome] = {}
    try:
        while waiting or running:
            while waiting and len(running) < jobs:
                module = waiting.pop(0)
                descriptor, pid = _fork(module, services, root, options)
                running[descriptor] = (pid, module, bytearray())
            for descriptor in select.select(list(running), [], [])[0]:
                pid, module, heard = running[descriptor]
                part = os.read(descriptor, 1 << 16)
                heard += part
                if not part:
                    del running[descriptor]
                    os.close(descriptor)
                    _, status = os.waitpid(pid, 0)
                    done[module.name] = _heard(module, bytes(heard), os.waitstatus_to_exitcode(status))
    except BaseException:
        _end(running)
        raise
    return [done[module.name] for module in modules]


def _fork(module: Module, services: LocalServices, root: Path, options: TakeOptions) -> tuple[int, int]:
    reading, writing = os.pipe()
    parent = os.getpid()
    pid = os.fork()
    if pid:
        os.close(writing)
        return reading, pid
    code = ExitCode.BUG
    try:
        os.close(reading)
        end_with_parent(signal.SIGTERM, parent=parent)
        outcome = take_one(module, services, root, options)
        with os.fdopen(writing, "wb") as pipe:
            pipe.write(msgspec.json.encode(outcome))
        code = ExitCode.OK
    except Stopped as stop:
        code = stop.error.exit_code
    finally:
        os._exit(code)


def _heard(module: Module, data: bytes, code: int) -> Outcome:
    if data:
        return msgspec.json.decode(data, type=Outcome)
    error = BackupError(ErrorId.INTERRUPTED, f"its process ended with {code} and said nothing")
    return Outcome(failed=(failed_row(module.name, error),))


def _end(running: dict[int, tuple[int, Module, bytearray]]) -> None:
    """Ask the children to end, and wait: each tidies up what it held."""
    for pid, _, _ in running.values():
        with suppress(ProcessLookupError):
            os.kill(pid, signal.SIGTERM)
    for descriptor, (pid, _, _) in running.items():
        with suppress(ChildProcessError):
            os.waitpid(pid, 0)
        os.close(descriptor)
