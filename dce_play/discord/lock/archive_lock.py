"""The archive root's lock: one writer at a time, whoever it is and wherever it was started from.

``with archive_lock(root, environment=os.environ, command="dce-play run proof").acquire(wait_s=600.0) as lock:`` is the
``flock`` of ``<root>/.dce-scrape.lock``, with the words and the variables that the operators' scripts know.
"""

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from types import TracebackType
from typing import Self

from dce_play.layout import LOCK_NAME, META_FOLDER
from dce_play.system.clock import Clock
from dce_play.system.lock.held import LockHeld
from dce_play.system.lock.held_lock import HeldLock
from dce_play.system.lock.status import LockStatus, lock_status
from dce_play.system.lock.words import LockWords
from dce_play.system.process.containers import ContainerRuns, container_runs
from dce_play.system.process.executor import LocalExecutor
from dce_play.system.redact import Masker

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


class SkippedLock:
    """No lock at all, as ``DCE_SKIP_SCRAPE_LOCK=1`` asks."""

    fds: tuple[int, ...] = ()

    def __init__(self, path: Path, *, warn: Callable[[str], None]) -> None:
        self.path = path
        self._warn = warn

    def acquire(
        self,
        *,
        wait_s: float = 0.0,  # noqa: ARG002 - the signature of HeldLock
        on_blocked: Callable[[LockHeld], None] = lambda _held: None,  # noqa: ARG002
        cancelled: Callable[[], bool] = lambda: False,  # noqa: ARG002
    ) -> Self:
        """Warn: nothing keeps a second run out now."""
        self._warn(f"WARN: DCE_SKIP_SCRAPE_LOCK=1: running without the scrape lock {self.path}.")
        return self

    def progressed(self) -> None:
        """Do nothing."""

    def update_step(self, step: str, /) -> None:
        """Do nothing."""

    @contextmanager
    def note_container(self, container: str, /) -> Iterator[None]:  # noqa: ARG002 - the signature of HeldLock
        """Do nothing."""
        yield

    def release(self) -> None:
        """Do nothing."""

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None, /
    ) -> None:
        """Do nothing."""


def archive_lock(
    archive_root: Path,
    *,
    environment: Mapping[str, str],
    command: str,
    run_id: str = "",
    clock: Clock | None = None,
    warn: Callable[[str], None] = lambda _line: None,
    allow_network_fs: bool = False,
    runs: ContainerRuns | None = None,
) -> HeldLock | SkippedLock:
    """Return the lock of an archive root, not yet held.

    ``command`` goes into the note that everybody can read: mask it before. ``warn`` gets whole lines. ``runs`` tells of
    containers that a dead run noted; without it their engines are asked.
    """
    path = lock_path(archive_root, environment)
    if environment.get("DCE_SKIP_SCRAPE_LOCK") == "1":
        return SkippedLock(path, warn=warn)
    return HeldLock(
        path,
        command=command,
        run_id=run_id,
        words=SCRAPE_WORDS,
        clock=clock,
        warn=warn,
        allow_network_fs=allow_network_fs,
        container_runs=runs or container_runs(LocalExecutor(environment, Masker())),
    )


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
