"""Removing backups that need not be kept: planned first, and then exactly that or nothing."""

from collections.abc import Sequence
from datetime import datetime
from pathlib import Path

import msgspec

from dce_play.backup.errors import BackupError, ErrorId
from dce_play.backup.keep.retention import Candidate, Retention, retain
from dce_play.backup.manifest import CheckRecord
from dce_play.backup.protocols import Services
from dce_play.backup.store.catalog import Catalog, Entry, read_catalog, remove_backups, rewrite_manifest, sweep
from dce_play.backup.store.opened import StoredBackup
from dce_play.backup.store.root import make_safe_root, module_lock
from dce_play.backup.take.verify import STORED, read_again, with_checks
from dce_play.system.clock import utc_stamp


class KeepRules(msgspec.Struct, frozen=True, kw_only=True):
    """How many good ones, and how long back."""

    last: int
    within_s: float | None = None


def plan_prune(module: str, catalog: Catalog, rules: KeepRules, *, now: datetime) -> Retention:
    """Return what a prune of a module would do. Touches nothing."""
    unfinished = catalog.restore_of(module)
    needed = frozenset() if unfinished is None else frozenset({unfinished.safety, unfinished.file})
    return retain(
        [msgspec.structs.replace(candidate(entry), is_way_back=entry.file in needed) for entry in catalog.of(module)],
        now=now,
        keep_last=rules.last,
        keep_within_s=rules.within_s,
    )


def candidate(entry: Entry) -> Candidate:
    """Return a backup as far as retention looks at it."""
    return Candidate(
        file=entry.file,
        ended=entry.ended,
        level=entry.manifest.verification.level,
        is_good=entry.is_good,
        is_safety=entry.is_safety,
    )


def apply_prune(module: str, planned: Retention, rules: KeepRules, root: Path, services: Services) -> tuple[str, ...]:
    """Remove what was planned, under the module's lock; return the files that are gone.

    What a killed prune or run left goes too. The newest good backup that stays is read again first. The plan is made
    anew: where it is another by now, nothing goes.

    Raises: BackupError: ``lock-held``; ``verify-failed``, for a newest good one that is rotten: it is marked, and
    nothing goes; ``changed``, for another plan.
    """
    if not planned.remove and not read_catalog(root, now=services.clock.now()).left_by(module):
        return ()
    make_safe_root(root)
    with module_lock(root, module):
        for path in sweep(root, module):
            services.say(f"removed what a killed run left: {path}")
        if not planned.remove:
            return ()
        now = services.clock.now()
        catalog = read_catalog(root, now=now)
        again = plan_prune(module, catalog, rules, now=now)
        if {each.file for each in again.remove} != {each.file for each in planned.remove}:
            raise BackupError(
                ErrorId.CHANGED, f"the backups of {module} are others than when it was planned", hint="plan it again"
            )
        newest = catalog.newest_good(module)
        if newest is None:
            raise BackupError(ErrorId.VERIFY_FAILED, f"{module} has no good backup: nothing goes")
        _read_again(newest, services)
        files = tuple(each.file for each in reversed(again.remove))
        remove_backups(root, module, files)
        return files


def _read_again(entry: Entry, services: Services) -> None:
    now = utc_stamp(services.clock.now())
    try:
        read_again(StoredBackup(entry.path, entry.manifest, services), services, level=1)
    except BackupError as error:
        check = CheckRecord(id=STORED, ok=False, at=now, detail=str(error))
        rewrite_manifest(entry.path, with_checks(entry.manifest, [check], level=0))
        raise BackupError(
            ErrorId.VERIFY_FAILED,
            f"{entry.file}, the newest good one, is rotten: nothing was removed",
            hint=f"take a new one first: dce-play backup run {entry.manifest.module}",
        ) from error


def total_bytes(catalog: Catalog, files: Sequence[str]) -> int:
    """Return how many bytes these backups occupy."""
    wanted = frozenset(files)
    return sum(entry.stored_bytes for entry in catalog.entries if entry.file in wanted)
