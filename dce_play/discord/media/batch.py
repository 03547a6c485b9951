"""Some references at a time: those that expired are renewed, all are fetched, what was refused is renewed once."""

import errno
import os
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from dce_play.discord.media.download import BytesSpent, Downloader, Result
from dce_play.discord.media.refresh import BATCH, Refresh
from dce_play.discord.media_store.policy import MediaKind, MediaReference, MediaState
from dce_play.discord.media_store.urls import expires_at

_RESERVE_BYTES = 1 << 20


class Batch:
    """References that are fetched together. ``settle`` gets what came of each; what the budget forbids waits."""

    def __init__(
        self,
        downloader: Downloader,
        pool: ThreadPoolExecutor,
        refresh: Refresh,
        *,
        folder: Path,
        now_s: float,
        beat: Callable[[], None],
        settle: Callable[[MediaReference, Result], None],
    ) -> None:
        self._downloader = downloader
        self._pool = pool
        self._refresh = refresh
        self._folder = folder
        self._now_s = now_s
        self._beat = beat
        self._settle = settle
        self._signed: dict[str, str] = {}
        self._asked: set[str] = set()

    def run(self, references: Sequence[MediaReference]) -> None:
        """Fetch them. Raises: OSError, sqlite3.Error, and what ``beat`` raises."""
        self._renew([each for each in references if _renewable(each) and _has_ended(each.url, self._now_s)])
        refused = [each for each in self._pool.map(self._first, references) if each is not None]
        self._renew(refused)
        for _ in self._pool.map(self._last, refused):
            pass

    def _renew(self, references: Sequence[MediaReference]) -> None:
        by_channel: dict[str | None, list[str]] = {}
        for each in references:
            by_channel.setdefault(each.channel_id, []).append(each.url)
        for group in by_channel.values():
            for start in range(0, len(group), BATCH):
                self._beat()
                urls = group[start : start + BATCH]
                found = self._refresh(urls)
                if found is not None:
                    self._asked.update(urls)
                    self._signed.update({old: new for old, new in found.items() if old in urls})

    def _first(self, reference: MediaReference) -> MediaReference | None:
        """Fetch one; return it where another signature may help."""
        result = self._downloader.before_asking(reference) or self._fetch(reference)
        if result is None:
            return None
        if result.refused and _renewable(reference) and reference.url not in self._asked:
            return reference
        self._settle(reference, result)
        return None

    def _last(self, reference: MediaReference) -> None:
        """Fetch one that was refused once more; without a new signature nobody knows that it is gone."""
        if reference.url not in self._asked:
            self._settle(reference, Result(MediaState.FAILED, "refused, and its signature cannot be renewed"))
            return
        result = self._fetch(reference)
        if result is not None:
            self._settle(reference, result)

    def _fetch(self, reference: MediaReference) -> Result | None:
        self._beat()
        room = os.statvfs(self._folder)
        if room.f_bavail * room.f_frsize < (reference.size or 0) + _RESERVE_BYTES:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), str(self._folder))
        try:
            return self._downloader.fetch(reference, self._signed.get(reference.url, reference.url))
        except BytesSpent:
            return None


def _renewable(reference: MediaReference) -> bool:
    return reference.kind is MediaKind.ATTACHMENT or ("/attachments/" in reference.url and "hm=" in reference.url)


def _has_ended(url: str, now_s: float) -> bool:
    ends = expires_at(url)
    return ends is not None and ends <= now_s
