"""Which modules hold state, how each is backed up, what its backup still lacks, and which to begin with.

It tells of backups only: that a module's backup is ready says nothing about whether a change to it may be applied.
"""

from collections import Counter
from collections.abc import Sequence
from datetime import datetime

import msgspec

from dce_play.backup.definitions.model import HealthKeys, Module
from dce_play.backup.registry import engine_named
from dce_play.backup.store.catalog import Catalog
from dce_play.backup.take.notes import missing_restore_notes

READY = "ready"
NOT_READY = "not-ready"
EXCLUDED = "excluded"
_EASY_CLASSES = frozenset({"E", "F"})
_LOW_BLAST = frozenset({"", "low"})


class LastBackup(msgspec.Struct, frozen=True, kw_only=True):
    """A module's newest good regular backup."""

    file: str
    age_s: float
    level: int


class AuditRow(msgspec.Struct, frozen=True, kw_only=True):
    """One stateful module."""

    module: str
    class_name: str = msgspec.field(name="class")
    engine: str
    source: str
    statefulness: str
    lifecycle: str
    canonical: bool
    readiness: str
    reasons: tuple[str, ...]
    first_candidate: bool
    last_backup: LastBackup | None


class AuditSummary(msgspec.Struct, frozen=True, kw_only=True):
    """How many there are. ``by_class`` counts the excluded ones too."""

    stateful: int
    ready: int
    excluded: int
    by_class: dict[str, int]


def audit(modules: Sequence[Module], catalog: Catalog, *, now: datetime) -> tuple[tuple[AuditRow, ...], AuditSummary]:
    """Return a row for each stateful module, and the sums. Contacts nothing."""
    rows = tuple(_row(module, catalog, now) for module in modules if module.keys.statefulness == "stateful")
    by_class = Counter(row.class_name for row in rows)
    summary = AuditSummary(
        stateful=len(rows),
        ready=sum(row.readiness == READY for row in rows),
        excluded=sum(row.readiness == EXCLUDED for row in rows),
        by_class=dict(sorted(by_class.items())),
    )
    return rows, summary


def overdue(rows: Sequence[AuditRow], *, max_age_s: float) -> tuple[AuditRow, ...]:
    """Return the active modules without a good backup that is young enough."""
    return tuple(
        row
        for row in rows
        if row.readiness != EXCLUDED and (row.last_backup is None or row.last_backup.age_s > max_age_s)
    )


def _row(module: Module, catalog: Catalog, now: datetime) -> AuditRow:
    readiness, reasons = _readiness(module)
    unfinished = catalog.restore_of(module.name)
    if unfinished is not None:
        readiness, reasons = readiness if readiness == EXCLUDED else NOT_READY, (unfinished.told(), *reasons)
    newest = catalog.newest_good(module.name)
    last = None
    if newest is not None:
        age_s = max(0.0, round((now - newest.ended).total_seconds(), 3))
        last = LastBackup(file=newest.file, age_s=age_s, level=newest.manifest.verification.level)
    easy = module.class_name in _EASY_CLASSES and module.keys.blast_radius in _LOW_BLAST
    return AuditRow(
        module=module.name,
        class_name=module.class_name,
        engine=module.engine,
        source=module.source,
        statefulness=module.keys.statefulness,
        lifecycle=module.keys.lifecycle,
        canonical=module.keys.canonical,
        readiness=readiness,
        reasons=reasons,
        first_candidate=readiness == READY and easy,
        last_backup=last,
    )


def _readiness(module: Module) -> tuple[str, tuple[str, ...]]:
    if module.is_excluded:
        reasons = []
        if module.keys.lifecycle != "active":
            reasons.append(f"lifecycle: {module.keys.lifecycle}")
        if not module.keys.canonical:
            reasons.append("not canonical")
        return EXCLUDED, tuple(reasons)
    lacks = list(engine_named(module.engine).readiness(module))
    if missing := missing_restore_notes(module):
        lacks.append(missing)
    if not _has_probe(module):
        lacks.append("no health probe")
    return (NOT_READY, tuple(lacks)) if lacks else (READY, ())


def _has_probe(module: Module) -> bool:
    health = module.keys.health
    if health != HealthKeys(timeout=health.timeout, interval=health.interval, grace=health.grace):
        return True
    if module.engine not in {"files", "compose"}:
        return True
    return bool(module.keys.container or module.runtime_container or module.runbook is not None)
