"""``dce-play backup cat``: a backup's bytes on standard output, with its sums checked on the way."""

import sys
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from typing import Any

import click

from dce_play.backup.errors import BackupError, ErrorId
from dce_play.backup.store.opened import StoredBackup
from dce_play.backup.streams import Source
from dce_play.cli.backup.doors import services_of
from dce_play.cli.backup.ending import Stopped, stoppable
from dce_play.cli.backup.office import Office, common_options
from dce_play.errors import ExitCode
from dce_play.system.descriptors import write_all


@click.command("cat")
@click.argument("backup", metavar="BACKUP")
@click.option("--identity", metavar="REF", help="Decrypt it with this key: env:NAME, file:PATH or keyring:NAME.")
@click.option("--plain", is_flag=True, help="Decompress it too.")
@common_options
def cat(backup: str, **options: Any) -> int:
    """Write a BACKUP's bytes to standard output: as they are stored, or decrypted, or with --plain as they were.

    \b
    Example:
      dce-play backup cat uptime-kuma@latest > copy.tar.zst

    Exit 1 at the end when they are not what was written: whoever reads them must look at the exit code.
    """
    office = Office("cat", {**options, "output_format": "text"})
    entry = office.desk.entry(backup)
    opened = StoredBackup(entry.path, entry.manifest, services_of(office), identity=options["identity"])
    try:
        with stoppable(options["timeout_s"]), _chosen(opened, options) as source:
            _copy(source)
    except Stopped as stop:
        raise stop.error from None
    return ExitCode.OK


def _chosen(opened: StoredBackup, options: dict[str, Any]) -> AbstractContextManager[Source]:
    if options["plain"]:
        return opened.plain()
    return opened.decrypted() if options["identity"] else _stored(opened)


@contextmanager
def _stored(opened: StoredBackup) -> Iterator[Source]:
    source = opened.stored()
    try:
        yield source
    finally:
        source.abort()


def _copy(source: Source) -> None:
    """Write it all.

    Raises: BackupError (``verify-failed``, ``truncated``; ``write-failed`` when nobody reads, or it cannot be written).
    """
    sys.stdout.flush()
    while data := source.read():
        try:
            write_all(1, data)
        except BrokenPipeError:
            raise BackupError(ErrorId.WRITE_FAILED, "whoever reads it has gone away") from None
        except OSError as error:
            raise BackupError(ErrorId.WRITE_FAILED, f"standard output: {(error.strerror or '').lower()}") from error
    source.finish()
