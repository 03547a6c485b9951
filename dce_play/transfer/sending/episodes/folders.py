"""The folders of a shipper, made where they lack and checked before anything is promised."""

import os
from pathlib import Path
from typing import ClassVar

from dce_play.errors import DcePlayError, ExitCode
from dce_play.transfer.sending.episodes.spool import Spool
from dce_play.transfer.sending.settings import ShipConfig

_PROBE = ".dce-play-probe.tmp"


class BadFolder(DcePlayError):
    """A folder cannot be used, or they are not on one file system, so that a rename could not move an episode."""

    exit_code: ClassVar[ExitCode] = ExitCode.PREFLIGHT

    def __init__(self, path: Path, reason: str, *, hint: str) -> None:
        super().__init__(f"{path}: {reason}", hint=hint)
        self.path = path


def check_folders(config: ShipConfig, spool: Spool) -> None:
    """Make the folders that lack below a data folder that exists, and try to write into each.

    Raises: BadFolder.
    """
    if not config.data_dir.is_dir():
        owner = "install -d -o dce-play -g dce-play -m 0750"
        raise BadFolder(config.data_dir, "there is no such folder", hint=f"make it: sudo {owner} {config.data_dir}")
    for folder in (spool.private, *spool.folders):
        try:
            folder.mkdir(exist_ok=True)
            _try_to_write(folder)
        except OSError as error:
            reason = (error.strerror or str(error)).lower()
            raise BadFolder(folder, f"cannot be written: {reason}", hint=_hint(error, folder)) from error
    devices = {folder: folder.stat().st_dev for folder in spool.folders}
    first = devices[spool.episodes]
    for folder, device in devices.items():
        if device != first:
            reason = f"it is on another file system than {spool.episodes}"
            raise BadFolder(folder, reason, hint="keep all four folders on one file system: episodes move by rename")


def _try_to_write(folder: Path) -> None:
    probe = folder / _PROBE
    descriptor = os.open(probe, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
    try:
        os.write(descriptor, bytes(4096))
    finally:
        os.close(descriptor)
        probe.unlink(missing_ok=True)


def _hint(error: OSError, folder: Path) -> str:
    if isinstance(error, PermissionError):
        return f"the service's user must own it: sudo chown dce-play {folder}"
    return f"see how full it is: df -h {folder.parent}; df -i {folder.parent}"
