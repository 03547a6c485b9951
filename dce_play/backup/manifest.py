"""A backup's manifest: what it is, where it came from, what it counts, and what was seen of it since."""

import json

import msgspec

from dce_play.backup.errors import BackupError, ErrorId
from dce_play.backup.facts import (
    ComposeFacts,
    Consistency,
    EngineFacts,
    Health,
    Plain,
    RemoteCopy,
    RootFacts,
    SourceFacts,
    Warned,
)

SCHEMA = "dce-play/backup-manifest/1"
SUFFIX = ".manifest.json"
HIGHEST_LEVEL = 3


class Host(msgspec.Struct, frozen=True, kw_only=True):
    """The machine that took the backup."""

    name: str
    boot_id: str
    machine: str


class Encryption(msgspec.Struct, frozen=True, kw_only=True):
    """How the stored file is encrypted."""

    kind: str
    recipients: tuple[str, ...]


class Samples(msgspec.Struct, frozen=True, kw_only=True):
    """Probes while the backup was made."""

    samples: int = 0
    failures: int = 0


class HealthRecord(msgspec.Struct, frozen=True, kw_only=True):
    """The service before, during and after."""

    before: Health = Health.UNKNOWN
    during: Samples = Samples()
    after: Health = Health.UNKNOWN


class CheckRecord(msgspec.Struct, frozen=True, kw_only=True):
    """One check of the backup, when, and what it said."""

    id: str
    ok: bool
    at: str
    detail: str = ""


class Verification(msgspec.Struct, frozen=True, kw_only=True):
    """How far the backup was checked."""

    level: int
    good: bool
    checks: tuple[CheckRecord, ...] = ()

    @property
    def holds(self) -> bool:
        """Return whether the backup passed as much as makes it good, and no check has failed since it last passed."""
        latest = {check.id: check.ok for check in self.checks}
        return 1 <= self.level <= HIGHEST_LEVEL and self.good and all(latest.values())


class Previous(msgspec.Struct, frozen=True, kw_only=True):
    """The last good regular backup at the time."""

    file: str
    bytes: int
    change_percent: float


class OperatorRecord(msgspec.Struct, frozen=True, kw_only=True):
    """Who took the backup."""

    user: str
    uid: int
    sudo_user: str
    attended: bool
    terminal: str
    allowed_by: str
    """``terminal``, or ``--allow-unattended``."""


class ToolFacts(msgspec.Struct, frozen=True, kw_only=True):
    """The program that wrote the manifest."""

    name: str
    version: str


class HookRecord(msgspec.Struct, frozen=True, kw_only=True):
    """The exit codes of the hooks; ``None`` for one that did not run."""

    before: int | None = None
    after: int | None = None


class Manifest(msgspec.Struct, frozen=True, kw_only=True):
    """The whole manifest, in the order in which it is written."""

    schema: str = SCHEMA
    file: str
    module: str
    class_name: str = msgspec.field(name="class")
    purpose: str = "regular"
    engine: EngineFacts
    host: Host
    source: SourceFacts
    roots: tuple[RootFacts, ...] = ()
    compose: ComposeFacts | None = None
    command: tuple[str, ...] = ()
    format: str
    compression: str | None
    encryption: Encryption | None
    started: str
    ended: str
    duration_s: float
    quiesced_s: float
    bytes: int
    sha256: str
    plain_bytes: int
    plain_sha256: str
    counts: dict[str, Plain]
    consistency: Consistency
    health: HealthRecord
    verification: Verification
    warnings: tuple[Warned, ...] = ()
    previous: Previous | None = None
    operator: OperatorRecord
    tool: ToolFacts
    hooks: HookRecord | None = None
    remote: tuple[RemoteCopy, ...] = ()


def encode_manifest(manifest: Manifest) -> bytes:
    """Return the manifest's file: JSON, two spaces of indentation, in the order of the fields."""
    return (json.dumps(msgspec.to_builtins(manifest), ensure_ascii=False, indent=2) + "\n").encode()


def decode_manifest(data: bytes, *, name: str) -> Manifest:
    """Return the manifest in the bytes.

    Raises: BackupError (``invalid``), when they are none of ours.
    """
    try:
        manifest = msgspec.json.decode(data, type=Manifest)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise BackupError(ErrorId.INVALID, f"{name} is not a manifest of ours: {error}") from error
    if manifest.schema != SCHEMA:
        raise BackupError(ErrorId.INVALID, f"{name} has schema {manifest.schema!r}, not {SCHEMA}")
    return manifest
