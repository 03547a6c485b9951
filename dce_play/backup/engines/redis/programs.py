"""Which ``redis-server`` a drill starts: the first on PATH that is at least of the version that wrote the snapshot."""

import os
import re
import shutil

from dce_play.backup.errors import BackupError, ErrorId
from dce_play.backup.protocols import Services
from dce_play.errors import DcePlayError
from dce_play.system.process.executor import Command

_VERSION = re.compile(r"(?:v=|^)(\d+)\.(\d+)")
_PATIENCE_S = 20.0


def _version_in(text: str) -> tuple[int, int] | None:
    found = _VERSION.search(text)
    return (int(found[1]), int(found[2])) if found else None


def server_program(services: Services, *, written_by: str) -> str:
    """Return the program.

    Raises: BackupError: ``no-tool`` when there is none, ``version`` when all are older.
    """
    wanted = _version_in(written_by) or (0, 0)
    older = ""
    for folder in services.environment.get("PATH", os.defpath).split(os.pathsep):
        program = shutil.which("redis-server", path=folder)
        if program is None:
            continue
        try:
            said = services.executor.run(Command(argv=(program, "--version"), timeout_s=_PATIENCE_S)).stdout
        except DcePlayError:
            continue
        version = _version_in(said)
        if version is not None and version >= wanted:
            return program
        older = older or f"{program} is {'.'.join(map(str, version or ()))}"
    if older:
        raise BackupError(
            ErrorId.VERSION,
            f"the snapshot is of Redis {written_by}, {older}",
            hint="install a redis-server of the backup's version or newer for drills",
        )
    raise BackupError(ErrorId.NO_TOOL, "no redis-server on PATH", hint="install redis-server for drills")
