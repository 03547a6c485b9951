"""The lock that a writing verb holds, apart from what reading verbs need, so that those start without it."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import click

from dce_play.cli.app.verb import complain
from dce_play.discord.lock.archive_lock import SkippedLock, archive_lock
from dce_play.discord.lock.places import guarding_root
from dce_play.system.lock.held_lock import HeldLock


@contextmanager
def guarded(
    path: Path, *, root: Path | None, lock_wait_s: float, dry_run: bool
) -> Iterator[HeldLock | SkippedLock | None]:
    """Hold the lock that guards a path, and give it; a dry run holds none.

    Raises: LockHeld, LockUnusable.
    """
    if dry_run:
        yield None
        return
    lock = archive_lock(
        root.absolute() if root else guarding_root(path),
        environment=os.environ,
        command=f"{click.get_current_context().command_path} {path}",
        warn=complain,
    )
    with lock.acquire(wait_s=lock_wait_s) as held:
        yield held


def guarded_root(path: Path, *, root: Path | None) -> Path:
    """Return what a step may take for the archive's root: ``--root`` where it holds the path, else the path's own."""
    if root is not None and path.resolve().is_relative_to(root.resolve()):
        return root.resolve()
    return guarding_root(path)
