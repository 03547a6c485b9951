"""Which lock file guards an archive root or a path, what the operators call it, and how it looks. Takes no lock."""

from collections.abc import Mapping
from pathlib import Path

from dce_play.layout import LOCK_NAME, META_FOLDER
from dce_play.system.lock.status import LockStatus, lock_status
from dce_play.system.lock.words import LockWords

SCRAPE_WORDS = LockWords(
    name="scrape lock",
    busy="Another scrape is already running",
    gate="Scrape lock is held; another scrape may be running",
    activity="active scrape",
    wait="--lock-wait 10m",
    look="dce-play lock status --root {folder}",
    force="dce-play lock force-unlock removes the note when you know better",
    elsewhere="name a lock file on a local disk with DCE_SCRAPE_LOCK_FILE",
)
"""``busy``, ``gate`` and ``activity`` are what the operators' scripts look for."""


def lock_path(archive_root: Path, environment: Mapping[str, str]) -> Path:
    """Return the lock file of an archive root; ``DCE_SCRAPE_LOCK_FILE`` overrides it."""
    override = environment.get("DCE_SCRAPE_LOCK_FILE")
    return Path(override).absolute() if override else archive_root / LOCK_NAME


def archive_lock_status(archive_root: Path, environment: Mapping[str, str]) -> LockStatus:
    """Look at the lock of an archive root. Locks nothing, creates nothing.

    Raises: LockUnusable.
    """
    return lock_status(lock_path(archive_root, environment), words=SCRAPE_WORDS)


def guarding_root(path: Path) -> Path:
    """Return the folder whose lock guards a path, for a verb that is told no archive root.

    It is the outermost folder above the path that has a lock file, as that is the one that a run of the whole archive
    takes; without any, the nearest that has our records; else the path's own folder. Links, to files and to folders on
    the way, count as what they lead to: the lock of a root guards what is in it, however it is reached.
    """
    place = path.resolve()
    start = place if place.is_dir() else place.parent
    above = (start, *start.parents)
    locked = [folder for folder in above if (folder / LOCK_NAME).is_file()]
    recorded = [folder for folder in above if (folder / META_FOLDER).is_dir()]
    return locked[-1] if locked else recorded[0] if recorded else start
