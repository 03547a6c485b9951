"""One run's fetching for one target: a queue that pages and files fill, and a thread that empties it meanwhile.

Whoever fills it is never kept waiting and never sees a failure: what goes wrong is in the outcome.
"""

import sqlite3
import threading
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from typing import NamedTuple, Self

from dce_play.discord.media.batch import Batch
from dce_play.discord.media.download import Downloader, Result
from dce_play.discord.media.outcome import MediaOutcome
from dce_play.discord.media.refresh import Refresh
from dce_play.discord.media_store.hosts import Hosts
from dce_play.discord.media_store.index import MediaIndex
from dce_play.discord.media_store.ledger import Ledger, line_for
from dce_play.discord.media_store.policy import MediaPolicy, MediaReference, MediaState
from dce_play.discord.media_store.store import MediaStore
from dce_play.discord.media_store.urls import unsigned
from dce_play.errors import DcePlayError
from dce_play.layout import TargetLayout
from dce_play.system import proc
from dce_play.system.clock import Clock

INDEX_NAME = "index.sqlite"
_TAKEN = 500
_NAP_S = 0.2


class _Stopped(Exception):
    """The run is to end now."""


class Around(NamedTuple):
    """What a run works with."""

    clock: Clock
    run_id: str
    hosts: Hosts
    refresh: Refresh
    cancelled: Callable[[], bool]
    progress: Callable[[float, float | None, str], None]


class MediaRun:
    """Open as long as its ``with`` block runs; the block's end waits for the queue to be empty."""

    def __init__(self, layout: TargetLayout, policy: MediaPolicy, around: Around, outcome: MediaOutcome) -> None:
        self.layout = layout
        self.policy = policy
        self.outcome = outcome
        self._around = around
        self._store = MediaStore(layout)
        self._index: MediaIndex | None = None
        self._ledger: Ledger | None = None
        self._lock = threading.Lock()
        self._wake = threading.Event()
        self._ending = False
        self._hurry = False
        self._thread = threading.Thread(target=self._work, name="media", daemon=True)

    def __enter__(self) -> Self:
        try:
            self._store.make()
            self._ledger = Ledger(self.layout.media_ledger)
            self._index = MediaIndex(self.layout.media / INDEX_NAME, self.layout.media_ledger)
            self._clear_parts(self._index)
        except (OSError, sqlite3.Error, DcePlayError) as error:
            self._give_up(error)
        self._thread.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        self._hurry = kind is not None
        self._ending = True
        self._wake.set()
        self._thread.join()
        if self._index is not None:
            try:
                self._index.close()
            except sqlite3.Error as error:
                self._give_up(error)
        if self._ledger is not None:
            self._ledger.close()

    @property
    def index(self) -> MediaIndex | None:
        """The index, or ``None`` where the store cannot be used."""
        return None if self.outcome.trouble else self._index

    def offer(self, references: Iterable[MediaReference]) -> None:
        """Queue media. Never raises and never waits for a server."""
        index = self.index
        if index is None:
            return
        try:
            index.offer(references)
        except (OSError, sqlite3.Error) as error:
            self._give_up(error)
        self._wake.set()

    def _clear_parts(self, index: MediaIndex) -> None:
        """Remove what no queued URL goes on from, and all of it after a power loss: nobody knows what is in it."""
        parts = self._store.leftover_parts()
        if not parts:
            index.boot(proc.boot_id())
            return
        known = set() if index.boot(proc.boot_id()) else {self._store.part(url) for url in index.queued_urls()}
        for part in parts:
            if part not in known:
                part.unlink(missing_ok=True)

    def _give_up(self, error: Exception) -> None:
        match error:
            case OSError():
                told = f"{error.strerror}: {error.filename or self.layout.media}"
            case DcePlayError():
                told = str(error)
            case _:
                told = repr(error)
        with self._lock:
            self.outcome.trouble = self.outcome.trouble or told

    def _beat(self) -> None:
        if self._hurry or self._around.cancelled():
            raise _Stopped

    def _work(self) -> None:
        """Empty the queue until the run ends and it stays empty."""
        index = self._index
        if index is None or self.outcome.trouble:
            return
        downloader = Downloader(
            self._store, index, self.policy, self._around.hosts, clock=self._around.clock, beat=self._beat
        )
        try:
            with ThreadPoolExecutor(self.policy.jobs, thread_name_prefix="media") as pool:
                while not self.outcome.trouble:
                    self._beat()
                    ending = self._ending
                    taken = index.take(self._around.run_id, _TAKEN)
                    if taken:
                        self._batch(downloader, pool).run(taken)
                    elif ending:
                        return
                    else:
                        self._wake.wait(_NAP_S)
                        self._wake.clear()
        except _Stopped:
            pass
        except Exception as error:  # noqa: BLE001 - messages come first: even a bug here fails no scrape, and is told
            self._give_up(error)
        finally:
            downloader.close()
            self._count_waiting(index)

    def _batch(self, downloader: Downloader, pool: ThreadPoolExecutor) -> Batch:
        return Batch(
            downloader,
            pool,
            self._around.refresh,
            folder=self.layout.media,
            now_s=self._around.clock.now().timestamp(),
            beat=self._beat,
            settle=self._settle,
        )

    def _count_waiting(self, index: MediaIndex) -> None:
        try:
            self.outcome.waiting = max(index.queued() - self.outcome.states[MediaState.FAILED], 0)
        except sqlite3.Error as error:
            self._give_up(error)

    def _settle(self, reference: MediaReference, result: Result) -> None:
        """Write what came of a reference, durably. Raises: OSError."""
        if self._ledger is None or self._index is None:
            return
        state = result.state
        before = self._index.state(unsigned(reference.url))
        if not (state is MediaState.FAILED and before == MediaState.FAILED):
            now = self._around.clock.now()
            self._ledger.add(line_for(reference, state, now=now, kept=result.kept), self._index.settle)
        with self._lock:
            self.outcome.states[state] += 1
            self.outcome.kept_bytes += result.kept.size if result.kept else 0
            if state in {MediaState.GONE, MediaState.FAILED} and not self.outcome.first_reason:
                self.outcome.first_reason = f"{unsigned(reference.url)}: {result.reason}"
            self._around.progress(self.outcome.states.total(), None, "media")
