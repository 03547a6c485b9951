"""Level 3: a stored backup restored into a throw-away engine, counted, and the result noted in its manifest."""

from dce_play.backup.errors import BackupError, ErrorId
from dce_play.backup.facts import Drilled
from dce_play.backup.manifest import CheckRecord
from dce_play.backup.protocols import DrillOptions, Services
from dce_play.backup.registry import engine_named
from dce_play.backup.store.catalog import Entry, rewrite_manifest
from dce_play.backup.store.opened import StoredBackup
from dce_play.backup.take.verify import with_checks
from dce_play.system.clock import utc_stamp
from dce_play.system.counted import counted

DRILL = "drill"
_NO_FINDING = frozenset(
    {
        ErrorId.NO_TOOL, ErrorId.INVALID, ErrorId.INTERRUPTED, ErrorId.TIMEOUT, ErrorId.NO_SPACE, ErrorId.VERSION,
        ErrorId.USAGE, ErrorId.WRITE_FAILED,
    }
)  # fmt: skip
"""What keeps a drill from being made says nothing about the backup."""


def drill_entry(entry: Entry, services: Services, options: DrillOptions, *, identity: str | None = None) -> Drilled:
    """Drill a backup. One with differences, or that cannot be restored, is good no more; the file stays.

    Raises: BackupError, when it cannot be restored at all.
    """
    engine = engine_named(entry.manifest.engine.name)
    backup = StoredBackup(entry.path, entry.manifest, services, identity=identity)
    try:
        drilled = engine.drill(backup, services, options)
    except BackupError as error:
        if error.error_id not in _NO_FINDING and not isinstance(error.__cause__, KeyboardInterrupt):
            _note(entry, services, ok=False, level=0, detail=str(error))
        raise
    ok = not drilled.differences
    detail = drilled.note or ("" if ok else counted(len(drilled.differences), "difference"))
    _note(entry, services, ok=ok, level=drilled.level, detail=detail)
    return drilled


def _note(entry: Entry, services: Services, *, ok: bool, level: int, detail: str) -> None:
    check = CheckRecord(id=DRILL, ok=ok, at=utc_stamp(services.clock.now()), detail=detail)
    rewrite_manifest(entry.path, with_checks(entry.manifest, [check], level=level))
