"""A drill of class D: the objects written into a throw-away folder, read back from there, and counted twice."""

import hashlib
from pathlib import Path

import msgspec

from dce_play.backup.drills import differences, drill_folder
from dce_play.backup.engines.s3.index import Totals, lines
from dce_play.backup.engines.s3.names import INDEX, ROOT
from dce_play.backup.engines.s3.restore import put_into, wanted_of
from dce_play.backup.facts import Difference, Drilled, EngineFacts
from dce_play.backup.protocols import DrillOptions, OpenBackup, Services
from dce_play.backup.streams import CHUNK_BYTES
from dce_play.source import JsonValue

_MOST_DIFFERENCES = 20


def drill_objects(backup: OpenBackup, services: Services, options: DrillOptions, /) -> Drilled:
    """Restore into a folder that is gone afterwards; hold its files against the index and the manifest's counts.

    Raises: BackupError: ``verify-failed``, ``truncated``, ``incomplete``, ``write-failed``.
    """
    with drill_folder(services, msgspec.structs.replace(options, keep=False)) as folder:
        notes, restored_in = folder / "notes", folder / "restored"
        notes.mkdir(mode=0o700)
        restored_in.mkdir(mode=0o700)
        with wanted_of(backup, notes) as wanted:
            put_into(backup, restored_in, wanted)
        indexed, restored, unlike = _count(restored_in)
    expected: dict[str, JsonValue] = {
        key: value for key, value in backup.manifest.counts.items() if key in indexed.counts()
    }
    found = {**indexed.counts(), "objects": restored.objects}
    if not indexed.versions:
        found["bytes"] = restored.bytes
    counted = {key: found[key] for key in expected}
    return Drilled(
        engine=EngineFacts(name=backup.manifest.engine.name),
        expected=expected,
        restored=counted,
        differences=(*unlike, *differences(expected, counted))[:_MOST_DIFFERENCES],
        note="--keep has nothing to leave running: objects are drilled into a folder" if options.keep else "",
    )


def _count(folder: Path) -> tuple[Totals, Totals, list[Difference]]:
    """Return what the restored index counts, what the restored files count, and where a file is not as it says."""
    indexed, restored = Totals(), Totals()
    differences: list[Difference] = []
    with (folder / INDEX).open("rb") as index:
        for line in lines(iter(lambda: index.read(CHUNK_BYTES), b"")):
            indexed.add(line)
            if not line.is_current:
                continue
            found = _sha256(folder / ROOT / line.member)
            if found == line.sha256:
                restored.add(line)
            elif len(differences) < _MOST_DIFFERENCES:
                differences.append(Difference(what=f"object {line.key!r}", expected=line.sha256, restored=found))
    return indexed, restored, differences


def _sha256(path: Path) -> str | None:
    try:
        with path.open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()
    except FileNotFoundError:
        return None
