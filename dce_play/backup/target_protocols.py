"""The protocol between the framework and places off the machine: one module below ``targets`` for each kind."""

from collections.abc import Callable, Sequence
from datetime import datetime
from pathlib import Path
from typing import Protocol

import msgspec

from dce_play.backup.definitions.model import TargetKeys
from dce_play.backup.facts import RemoteCopy
from dce_play.backup.manifest import Manifest
from dce_play.backup.protocols import Services


class RemoteBackup(msgspec.Struct, frozen=True, kw_only=True):
    """A backup as a target lists it."""

    file: str
    key: str
    bytes: int
    manifest: Manifest

    @property
    def is_good(self) -> bool:
        """Return whether the copy is good: what its manifest says, and of the size that it says."""
        return self.manifest.verification.holds and self.bytes == self.manifest.bytes


class DeadUpload(msgspec.Struct, frozen=True, kw_only=True):
    """Data of ours that a target has no manifest of: whoever sent it died before the end."""

    file: str
    key: str
    taken: datetime
    """When the backup was, as its name says."""


class Target(Protocol):
    """A place off the machine."""

    @property
    def name(self) -> str:
        """Return what the manifest calls it: ``s3://bucket/prefix``."""

    def store(self, path: Path, manifest: Manifest, encode: Callable[[RemoteCopy], bytes], /) -> RemoteCopy:
        """Upload the data, read back, then upload the manifest (``encode`` gives its bytes with this copy in it).

        Never replaces (``If-None-Match: *``).

        Raises: BackupError (``upload-failed``, ``auth``, ``forbidden``, ``unreachable``).
        """

    def backups(self) -> Sequence[RemoteBackup]:
        """Return all backups that lie there with a manifest of ours, oldest first.

        Raises: BackupError.
        """

    def left_by(self, module: str, /) -> Sequence[RemoteBackup]:
        """Return what removals of a module's copies that were killed have left: manifests whose data is gone.

        Raises: BackupError.
        """

    def dead_uploads(self, module: str, /, *, before: datetime) -> Sequence[DeadUpload]:
        """Return the data of a module that were sent before a time, bear our mark, and have no manifest.

        Raises: BackupError.
        """

    def remove_dead(self, upload: DeadUpload, /) -> None:
        """Remove such data, unless they have a manifest by now. Raises: BackupError."""

    def read_again(self, backup: RemoteBackup, /) -> None:
        """Read a copy whole and compare its size and sum.

        Raises: BackupError: ``verify-failed``, for other bytes; ``auth``, ``forbidden``, ``unreachable``.
        """

    def mark(self, backup: RemoteBackup, manifest: Manifest, /) -> None:
        """Replace a copy's manifest. Raises: BackupError."""

    def remove(self, backup: RemoteBackup, /) -> None:
        """Remove a backup: its data first, then its manifest. Raises: BackupError."""


class TargetModule(Protocol):
    """A module below ``targets`` for one kind of target."""

    def open_target(self, keys: TargetKeys, services: Services, /) -> Target:
        """Return the target that a definition names; contacts nothing yet.

        Raises: BackupError (``no-tool``, ``invalid``).
        """
