"""How a backup is to be taken, and what came of it."""

from pathlib import Path

import msgspec

from dce_play.backup.errors import BackupError, ErrorId
from dce_play.backup.facts import Warned
from dce_play.backup.manifest import Manifest, OperatorRecord

REGULAR = "regular"


class TakeOptions(msgspec.Struct, frozen=True, kw_only=True):
    """What the command line says of one backup."""

    operator: OperatorRecord
    tool_version: str
    level: int | None = None
    """``None``: the definition's."""
    encrypt_to: tuple[str, ...] = ()
    """``age1…`` and ``gpg:FINGERPRINT``; empty: the definition's."""
    force_unhealthy: bool = False
    include_excluded: bool = False
    drill: bool = False
    purpose: str = REGULAR


class Planned(msgspec.Struct, frozen=True, kw_only=True):
    """What a dry run says."""

    module: str
    class_name: str = msgspec.field(name="class")
    path: str
    estimate_bytes: int | None
    free_bytes: int
    quiesce: tuple[str, ...]
    level: int


class Taken(msgspec.Struct, frozen=True, kw_only=True):
    """A backup that is there. ``failure`` is what went wrong once it was: the backup is kept all the same."""

    path: Path
    manifest: Manifest
    failure: BackupError | None = None

    def warnings(self) -> tuple[Warned, ...]:
        return self.manifest.warnings


def recipients(words: tuple[str, ...]) -> tuple[str, tuple[str, ...]]:
    """Return the kind of encryption and its recipients.

    Raises: BackupError (``usage``), for words of two kinds, or of none.
    """
    age = tuple(word for word in words if word.startswith("age1"))
    gpg = tuple(word.removeprefix("gpg:") for word in words if word.startswith("gpg:"))
    if len(age) + len(gpg) != len(words):
        bad = next(word for word in words if not word.startswith(("age1", "gpg:")))
        raise BackupError(ErrorId.USAGE, f"{bad} is no recipient", hint="write age1… or gpg:FINGERPRINT")
    if age and gpg:
        raise BackupError(ErrorId.USAGE, "a backup is encrypted with age or with gpg, not with both")
    return ("age", age) if age else ("gpg", gpg)
