"""A stored backup of Redis made into a data folder: what a server started on it finds."""

import os
from pathlib import Path

from dce_play.backup.engines.redis.folder_source import FORMAT as FOLDER
from dce_play.backup.engines.redis.places import LABEL
from dce_play.backup.errors import BackupError, ErrorId
from dce_play.backup.protocols import OpenBackup
from dce_play.backup.streams import SourceFile, chunks
from dce_play.backup.tree.unpack import TreeUnpacker, UnpackRules
from dce_play.errors import ExitCode

SNAPSHOT = "dump.rdb"
"""The name of a snapshot that came without a folder."""
_PREFIX = LABEL.encode() + b"/"


def make_folder(backup: OpenBackup, folder: Path, *, owners: bool) -> None:
    """Fill an empty folder with the data of a backup. ``owners``: files belong to whom they belonged to.

    Raises: BackupError.
    """
    if backup.manifest.format == FOLDER:
        _unpack(backup, folder, owners=owners)
        return
    try:
        descriptor = os.open(folder / SNAPSHOT, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, 0o600)
        with backup.plain() as source, os.fdopen(descriptor, "wb") as file:
            for chunk in chunks(source):
                file.write(chunk)
            file.flush()
            os.fsync(file.fileno())
    except OSError as error:
        raise BackupError(
            ErrorId.WRITE_FAILED,
            f"cannot write {folder / SNAPSHOT}: {(error.strerror or str(error)).lower()}",
            exit_code=ExitCode.FAILED,
        ) from error


def _unpack(backup: OpenBackup, folder: Path, *, owners: bool) -> None:
    def below_label(name: bytes) -> bytes | None:
        if name == LABEL.encode():
            return b"."
        return name.removeprefix(_PREFIX) if name.startswith(_PREFIX) else None

    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        with backup.plain() as source:
            TreeUnpacker(descriptor, UnpackRules(owners=owners, rename=below_label)).unpack(SourceFile(source).read)
            source.finish()
    finally:
        os.close(descriptor)
