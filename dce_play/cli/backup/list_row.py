"""A backup as ``list`` tells of it, here or at a target."""

from collections.abc import Sequence
from datetime import timedelta
from typing import Any

import msgspec

from dce_play.backup.manifest import Manifest


class ListRow(msgspec.Struct, frozen=True, kw_only=True):
    """A backup as ``list`` tells of it."""

    file: str
    module: str
    class_name: str = msgspec.field(name="class")
    purpose: str
    ended: str
    age_s: float
    bytes: int
    level: int
    good: bool
    consistency: str
    encrypted: bool
    change_percent: float | None
    warnings: tuple[str, ...]
    remote: tuple[Any, ...]


def row_of(
    manifest: Manifest, *, file: str, stored_bytes: int, good: bool, remote: Sequence[Any], age: timedelta
) -> ListRow:
    """Return the row of a backup by its manifest; its file may have another name by now."""
    return ListRow(
        file=file,
        module=manifest.module,
        class_name=manifest.class_name,
        purpose=manifest.purpose,
        ended=manifest.ended,
        age_s=round(age.total_seconds(), 3),
        bytes=stored_bytes,
        level=manifest.verification.level,
        good=good,
        consistency=manifest.consistency,
        encrypted=manifest.encryption is not None,
        change_percent=manifest.previous.change_percent if manifest.previous is not None else None,
        warnings=tuple(warning.id for warning in manifest.warnings),
        remote=tuple(remote),
    )
