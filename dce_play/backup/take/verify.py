"""Reading a backup again: its bytes from the disk, and its contents through the engine's own tool."""

from collections.abc import Sequence

import msgspec

from dce_play.backup.errors import BackupError, ErrorId, WarningId
from dce_play.backup.facts import Finding
from dce_play.backup.manifest import CheckRecord, Manifest
from dce_play.backup.protocols import Services
from dce_play.backup.registry import engine_named
from dce_play.backup.store.catalog import Entry, rewrite_manifest
from dce_play.backup.store.opened import StoredBackup
from dce_play.backup.streams import chunks, push_all
from dce_play.system.clock import utc_stamp

STORED = "stored-bytes"
CONTENTS = "contents"


class Verified(msgspec.Struct, frozen=True, kw_only=True):
    """What a verification came to."""

    ok: bool
    level: int
    """The level that was reached now."""
    findings: tuple[Finding, ...] = ()
    checks: tuple[CheckRecord, ...] = ()


def read_again(backup: StoredBackup, services: Services, *, level: int) -> int:
    """Read a backup at a level, 1 or 2, in one pass; return the level that was reached.

    Raises: BackupError (``verify-failed``, ``truncated``, ``incomplete``, ``no-tool``, ``invalid``).
    """
    if level < 2:
        for _ in chunks(backup.stored()):
            pass
        return 1
    check = engine_named(backup.manifest.engine.name).check(backup.manifest, services)
    if check is None:
        return read_again(backup, services, level=1)
    push_all(backup.plain(), check)
    return 2


def verify_entry(
    entry: Entry, services: Services, *, level: int, identity: str | None = None, record: bool = True
) -> Verified:
    """Verify a stored backup, and write into its manifest what was found. A failed one stays, and is good no more.

    Raises: BackupError (``no-tool``, ``invalid``): what keeps us from looking is no finding.
    """
    wanted, findings = level, []
    if level > 1 and entry.manifest.encryption is not None and identity is None:
        wanted = 1
        message = f"{entry.file} is encrypted: without --identity only its stored bytes were checked"
        findings.append(Finding(id=WarningId.LEVEL_LOWERED, message=message))
    backup = StoredBackup(entry.path, entry.manifest, services, identity=identity)
    now = utc_stamp(services.clock.now())
    try:
        reached = read_again(backup, services, level=wanted)
    except BackupError as error:
        if error.error_id in {ErrorId.NO_TOOL, ErrorId.INVALID, ErrorId.VERSION}:
            raise
        findings.append(Finding(id=error.error_id, message=str(error)))
        name = CONTENTS if wanted > 1 else STORED
        verified = Verified(
            ok=False,
            level=0,
            findings=tuple(findings),
            checks=(CheckRecord(id=name, ok=False, at=now, detail=str(error)),),
        )
    else:
        if reached < wanted:
            message = f"there is no tool for {entry.manifest.format}: only the stored bytes were checked"
            findings.append(Finding(id=WarningId.LEVEL_LOWERED, message=message))
        names = (STORED, CONTENTS)[:reached]
        verified = Verified(
            ok=True,
            level=reached,
            findings=tuple(findings),
            checks=tuple(CheckRecord(id=name, ok=True, at=now) for name in names),
        )
    if record:
        rewrite_manifest(entry.path, with_checks(entry.manifest, verified.checks, level=verified.level))
    return verified


def with_checks(manifest: Manifest, checks: Sequence[CheckRecord], *, level: int) -> Manifest:
    """Return the manifest with more checks: one that failed makes it bad until the same check has passed again."""
    before = manifest.verification
    joined = (*before.checks, *checks)
    latest = {check.id: check.ok for check in joined}
    verification = msgspec.structs.replace(
        before,
        level=max(before.level, level) if all(check.ok for check in checks) else before.level,
        good=all(latest.values()),
        checks=joined,
    )
    return msgspec.structs.replace(manifest, verification=verification)
