"""The archive root's lock as a run takes it: before its first step, to its end, and told in the stream."""

from collections.abc import Iterator
from contextlib import contextmanager

from dce_play.discord.lock.archive_lock import SkippedLock, archive_lock
from dce_play.discord.lock.places import archive_lock_status
from dce_play.errors import DcePlayError, ExitCode
from dce_play.events import Diagnosed, LockReleased, LockSeen, LockTaken, LockWaiting, Mode
from dce_play.playbook.evaluate.reach import reachable_steps
from dce_play.playbook.language.model import Lock
from dce_play.playbook.plan.plan import Plan
from dce_play.plugin import Effects
from dce_play.runner.cancel import Stopper
from dce_play.runner.record.stream import EventStream
from dce_play.runner.settings import RunSettings
from dce_play.system.lock.held_lock import HeldLock


class NoRootToLock(DcePlayError):
    """A step writes an archive, and nobody said where it is."""

    exit_code = ExitCode.INVALID

    def __init__(self) -> None:
        super().__init__(
            "a step of this playbook writes an archive, and no archive root is known",
            hint="name the targets file with --config or DCE_CONFIG_FILE",
        )


@contextmanager
def archive_locked(
    plan: Plan, settings: RunSettings, /, *, names: dict[str, object], stream: EventStream, stopper: Stopper
) -> Iterator[HeldLock | SkippedLock | None]:
    """Hold the lock while the block runs, if a step of the plan may write an archive; give ``None`` without a lock.

    A dry run looks at the lock, tells what it saw, and takes nothing.

    Raises: NoRootToLock; LockHeld, after ``settings.lock_wait_s``.
    """
    if plan.lock is not Lock.ARCHIVE or not (plan.always_locks or _may_write(plan, names)):
        yield None
        return
    root = settings.archive_root
    if root is None:
        if Effects.ARCHIVE in plan.effects:
            raise NoRootToLock
        yield None
        return
    if settings.mode is Mode.DRY_RUN:
        status = archive_lock_status(root, settings.environment)
        holder = f"pid {status.meta.pid}: {status.meta.cmd}" if status.meta else ""
        stream.emit(LockSeen(path=str(status.path), state=status.verdict, detail=holder))
        yield None
        return
    lock = archive_lock(
        root,
        environment=settings.environment,
        command=f"dce-play run {plan.name}",
        run_id=settings.run_id,
        clock=settings.clock,
        warn=lambda line: stream.emit(Diagnosed(severity="warning", message=line)),
    )
    lock.acquire(
        wait_s=settings.lock_wait_s,
        on_blocked=lambda held: stream.emit(LockWaiting(path=str(held.status.path), holder=str(held))),
        cancelled=stopper.is_set,
    )
    try:
        stream.emit(LockTaken(path=str(lock.path)))
        with stream.watched(lock.progressed):
            yield lock
    finally:
        lock.release()
    stream.emit(LockReleased(path=str(lock.path)))


def _may_write(plan: Plan, names: dict[str, object]) -> bool:
    return any(step.plugin.EFFECTS is Effects.ARCHIVE for step in reachable_steps(plan, names))
