"""Where a Redis server's data lie on this machine, if they can be reached at all."""

from pathlib import Path, PurePosixPath

import msgspec

from dce_play.backup.engines.redis.link import Link
from dce_play.backup.errors import BackupError, ErrorId
from dce_play.backup.facts import RootFacts
from dce_play.errors import ExitCode

LABEL = "data"


class DataPlace(msgspec.Struct, frozen=True, kw_only=True):
    """The data folder on this machine, and what the server calls it and its snapshot."""

    folder: Path
    inside: str
    type: str
    file: str

    def root(self) -> RootFacts:
        """Return the manifest's entry."""
        return RootFacts(label=LABEL, source=str(self.folder), destination=self.inside, type=self.type)


def find_place(link: Link) -> DataPlace | None:
    """Return the data folder; ``None`` when it is out of reach, so that the server must send its snapshot.

    Raises: BackupError: ``not-found`` for a folder that the definition names and that is not there.
    """
    named = link.keys.data_folder
    if not named and link.container is None:
        return None
    inside = link.setting("dir") or ""
    file = link.setting("dbfilename") or "dump.rdb"
    if named:
        folder = Path(named)
        if not folder.is_dir():
            raise BackupError(ErrorId.NOT_FOUND, f"redis.data_folder {named} is no folder", exit_code=ExitCode.FAILED)
        return DataPlace(folder=folder, inside=inside or named, type="path", file=file)
    for mount in link.container.mounts if link.container is not None else ():
        below = PurePosixPath(inside)
        if below.is_relative_to(mount.destination):
            folder = Path(mount.source) / below.relative_to(mount.destination)
            return DataPlace(folder=folder, inside=inside, type=mount.type, file=file) if folder.is_dir() else None
    return None
