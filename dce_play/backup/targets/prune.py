"""Removing copies at a target by the rules that hold here: planned first, then exactly that or nothing."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from pathlib import Path

import msgspec

from dce_play.backup.errors import BackupError, ErrorId
from dce_play.backup.keep.prune import KeepRules
from dce_play.backup.keep.retention import Candidate, Retention, retain
from dce_play.backup.manifest import SUFFIX, CheckRecord
from dce_play.backup.protocols import Services
from dce_play.backup.store.catalog import SAFETY
from dce_play.backup.store.root import make_safe_root, module_lock
from dce_play.backup.take.verify import STORED, with_checks
from dce_play.backup.target_protocols import DeadUpload, RemoteBackup, Target
from dce_play.system.clock import utc_stamp

LONGEST_UPLOAD_S = 86_400.0
"""So long after data came to a target, somebody may still be about to write their manifest."""
_DEAD = "upload-died"


class RemotePlan(msgspec.Struct, frozen=True, kw_only=True):
    """What a prune of one module's copies at one target would do."""

    module: str
    target: Target
    rules: KeepRules
    retention: Retention
    backups: tuple[RemoteBackup, ...]
    dead: tuple[DeadUpload, ...] = ()


def plan_remote(module: str, target: Target, rules: KeepRules, *, now: datetime) -> RemotePlan:
    """Look at a target and plan. Changes nothing.

    Raises: BackupError: ``auth``, ``forbidden``, ``unreachable``, ``not-found``.
    """
    backups = tuple(each for each in target.backups() if each.manifest.module == module)
    dead = tuple(target.dead_uploads(module, before=now - timedelta(seconds=LONGEST_UPLOAD_S)))
    retention = retain_copies(backups, dead, rules, now=now)
    return RemotePlan(module=module, target=target, rules=rules, retention=retention, backups=backups, dead=dead)


def retain_copies(
    backups: Sequence[RemoteBackup], dead: Sequence[DeadUpload], rules: KeepRules, *, now: datetime
) -> Retention:
    """Return which copies stay and which may go. A pure function.

    Data without a manifest are as good as a bad backup: they go once a good copy is newer.
    """
    candidates = [_candidate(each) for each in backups] + [_dead_candidate(each) for each in dead]
    found = retain(candidates, now=now, keep_last=rules.last, keep_within_s=rules.within_s)
    names = frozenset(each.file for each in dead)
    remove = (msgspec.structs.replace(each, reasons=(_DEAD,)) if each.file in names else each for each in found.remove)
    return msgspec.structs.replace(found, remove=tuple(remove))


def apply_remote(planned: RemotePlan, root: Path, services: Services) -> tuple[str, ...]:
    """Remove what was planned, under the module's lock; return the files whose copies are gone.

    The newest good copy is read again, whole, before anything goes. What a killed prune left goes too.

    Raises: BackupError: ``lock-held``; ``changed``, when other copies are there by now; ``verify-failed``, for a newest
    good copy that is rotten: it is marked, and nothing goes.
    """
    target = planned.target
    if not planned.retention.remove and not target.left_by(planned.module):
        return ()
    make_safe_root(root)
    with module_lock(root, planned.module):
        for left in target.left_by(planned.module):
            target.remove(left)
            services.say(f"removed what a killed prune left at {target.name}: {left.file}{SUFFIX}")
        if not planned.retention.remove:
            return ()
        again = plan_remote(planned.module, target, planned.rules, now=services.clock.now())
        going = [each.file for each in again.retention.remove]
        if set(going) != {each.file for each in planned.retention.remove}:
            raise BackupError(
                ErrorId.CHANGED,
                f"the copies of {planned.module} at {target.name} are others than when it was planned",
                hint="plan it again",
            )
        copies = {each.file: each for each in again.backups}
        newest = copies.get(again.retention.newest_good or "")
        if newest is None:
            raise BackupError(ErrorId.VERIFY_FAILED, f"{planned.module} has no good copy: nothing goes")
        _read_again(target, newest, services)
        uploads = {each.file: each for each in again.dead}
        for file in reversed(going):
            if file in uploads:
                target.remove_dead(uploads[file])
            else:
                target.remove(copies[file])
        return tuple(reversed(going))


def _read_again(target: Target, newest: RemoteBackup, services: Services) -> None:
    try:
        target.read_again(newest)
    except BackupError as error:
        if error.error_id is not ErrorId.VERIFY_FAILED:
            raise
        check = CheckRecord(id=STORED, ok=False, at=utc_stamp(services.clock.now()), detail=str(error))
        target.mark(newest, with_checks(newest.manifest, [check], level=0))
        raise BackupError(
            ErrorId.VERIFY_FAILED,
            f"{newest.file}, the newest good copy at {target.name}, is rotten: nothing was removed",
            hint=f"take a new one first: dce-play backup run {newest.manifest.module}",
        ) from error


def _dead_candidate(upload: DeadUpload) -> Candidate:
    return Candidate(file=upload.file, ended=upload.taken, level=0, is_good=False, is_safety=False)


def _candidate(backup: RemoteBackup) -> Candidate:
    return Candidate(
        file=backup.file,
        ended=datetime.fromisoformat(backup.manifest.ended),
        level=backup.manifest.verification.level,
        is_good=backup.is_good,
        is_safety=backup.manifest.purpose == SAFETY,
    )
