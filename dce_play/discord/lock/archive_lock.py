"""The archive root's lock: one writer at a time, whoever it is and wherever it was started from.

``with archive_lock(root, environment=os.environ, command="dce-play run proof").acquire(wait_s=600.0) as lock:`` is the
``flock`` of ``<root>/.dce-scrape.lock``, with the words and the variables that the operators' scripts know.
"""

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from types import TracebackType
from typing import Self

from dce_play.discord.lock.places import SCRAPE_WORDS, lock_path
from dce_play.system.clock import Clock
from dce_play.system.lock.held import LockHeld
from dce_play.system.lock.held_lock import HeldLock
from dce_play.system.process.containers import ContainerRuns, container_runs
from dce_play.system.process.executor import LocalExecutor
from dce_play.system.redact import Masker


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
