"""The archive root's lock as a run takes it: before its first step, to its end, and told in the stream."""

from collections.abc import Iterator
from contextlib import contextmanager

from dce_play.discord.lock.archive_lock import SkippedLock, archive_lock
from dce_play.discord.lock.places import archive_lock_status
from dce_play.errors import DcePlayError, ExitCode
from dce_play.events import Diagnosed, LockReleased, LockSeen, LockTaken, LockWaiting, Mode
from dce_play.playbook.evaluate.reach import reachable_steps
from dce_play.playbook.language.model import Lock
from dce_play.playbook.plan.plan import Plan, all_steps
from dce_play.plugin import Effects
from dce_play.runner.cancel import Stopper
from dce_play.runner.fan_out.order import ItemOrder
from dce_play.runner.record.child_id import parent_of
from dce_play.runner.record.stream import EventStream
from dce_play.runner.settings import RunSettings
from dce_play.system.lock.held import LockHeld
from dce_play.system.lock.held_lock import HeldLock

_BACK_S = 10.0
"""How long the end of a sibling, and of what it started, may take to let the lock go."""


_UNNAMED = 3
"""How often a sibling may be met between taking the lock and writing its note."""


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
    plan: Plan,
    settings: RunSettings,
    /,
    *,
    names: dict[str, object],
    stream: EventStream,
    stopper: Stopper,
    item: ItemOrder | None = None,
) -> Iterator[HeldLock | SkippedLock | None]:
    """Hold the lock while the block runs, if a step of the plan may write an archive; give ``None`` without a lock.

    A dry run looks at the lock, tells what it saw, and takes nothing. Of the run of an item only its own steps count,
    and it waits for its siblings as long as they need.

    Raises: NoRootToLock; LockHeld, after ``settings.lock_wait_s``.
    """
    needed = plan.always_locks or _may_write(plan, names) if item is None else writes_archive(plan, item.node)
    if plan.lock is not Lock.ARCHIVE or not needed:
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
    _acquire(lock, settings.lock_wait_s, stream, stopper, family=parent_of(settings.run_id))
    try:
        stream.emit(LockTaken(path=str(lock.path)))
        with stream.watched(lock.progressed):
            yield lock
    finally:
        lock.release()
    stream.emit(LockReleased(path=str(lock.path)))


@contextmanager
def lent(lock: HeldLock, settings: RunSettings, /, *, stream: EventStream, stopper: Stopper) -> Iterator[None]:
    """Let go of a held lock while the block runs, and take it again.

    Raises: LockHeld, when somebody else came in between and stays.
    """
    lock.release()
    stream.emit(LockReleased(path=str(lock.path)))
    yield
    _acquire(lock, max(settings.lock_wait_s, _BACK_S), stream, stopper, family=settings.run_id)
    stream.emit(LockTaken(path=str(lock.path)))


def _acquire(
    lock: HeldLock | SkippedLock, wait_s: float, stream: EventStream, stopper: Stopper, *, family: str
) -> None:
    """Take the lock; while runs of the same family hold it, however long that takes."""
    told = False
    unnamed = 0

    def blocked(held: LockHeld) -> None:
        nonlocal told
        if not told:
            stream.emit(LockWaiting(path=str(held.status.path), holder=str(held)))
        told = True

    while True:
        try:
            lock.acquire(wait_s=wait_s, on_blocked=blocked, cancelled=stopper.is_set)
        except LockHeld as held:
            meta = held.status.meta
            unnamed += meta is None  # its holder had no note yet, or none any more
            foreign = unnamed > _UNNAMED if meta is None else not meta.run_id.startswith(f"{family}.")
            if not family or stopper.is_set() or foreign:
                raise
            wait_s = max(wait_s, _BACK_S)
        else:
            return


def writes_archive(plan: Plan, node: str, /) -> bool:
    """Return whether a step of the node with this id may write the archive."""
    inside = f"{node}/"
    steps = (step for step in all_steps(plan) if step.id == node or step.id.startswith(inside))
    return any(step.plugin.EFFECTS is Effects.ARCHIVE for step in steps)


def _may_write(plan: Plan, names: dict[str, object]) -> bool:
    return any(step.plugin.EFFECTS is Effects.ARCHIVE for step in reachable_steps(plan, names))
