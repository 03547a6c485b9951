"""When a failed episode, or the whole shipper, may try again."""

import random
from collections.abc import Callable, Container

from dce_play.transfer.ids import EpisodeId
from dce_play.transfer.sending.settings import ShipConfig
from dce_play.transfer.sending.state import StateFile, Wait

_MOST_DOUBLINGS = 40


class Backoff:
    """Waits of ``random(0, min(cap_s, base_s·2^n))``, at least as long as the receiver asks, which is capped too."""

    def __init__(
        self,
        config: ShipConfig,
        file: StateFile,
        *,
        now: Callable[[], float],
        draw: Callable[[float, float], float] = random.uniform,
    ) -> None:
        self._config = config
        self._file = file
        self._now = now
        self._draw = draw

    def failed(self, identifier: EpisodeId, retry_after_s: float | None) -> None:
        """Let an episode wait."""
        with self._file.lock:
            wait = self._file.state.backoff.setdefault(identifier, Wait())
            self._extend(wait, retry_after_s)

    def forget(self, identifier: EpisodeId) -> None:
        """Forget how an episode failed: it is new, stored or gone."""
        with self._file.lock:
            self._file.state.backoff.pop(identifier, None)
            self._file.state.mismatches.pop(identifier, None)

    def waits(self, identifier: EpisodeId) -> bool:
        """Return whether an episode has to wait."""
        with self._file.lock:
            return self._is_ahead(self._file.state.backoff.get(identifier))

    def keep_only(self, live: Container[str]) -> None:
        """Forget all episodes but these."""
        with self._file.lock:
            state = self._file.state
            state.backoff = {each: wait for each, wait in state.backoff.items() if each in live}
            state.mismatches = {each: count for each, count in state.mismatches.items() if each in live}

    def pause(self, why: str, retry_after_s: float | None = None) -> None:
        """Let the whole shipper wait."""
        with self._file.lock:
            wait = self._file.state.whole or Wait()
            wait.why = why
            self._extend(wait, retry_after_s)
            self._file.state.whole = wait

    def resume(self) -> None:
        """End the wait of the whole shipper."""
        with self._file.lock:
            self._file.state.whole = None

    @property
    def paused(self) -> str | None:
        """Return why the whole shipper waits, ``auth`` or ``unreachable``, or ``None``."""
        whole = self._file.state.whole
        return whole.why if whole else None

    @property
    def pause_is_over(self) -> bool:
        """Return whether the receiver may be asked whether it answers again."""
        return not self._is_ahead(self._file.state.whole)

    def _extend(self, wait: Wait, retry_after_s: float | None) -> None:
        cap = min(self._config.cap_s, self._config.base_s * 2.0 ** min(wait.failures, _MOST_DOUBLINGS))
        asked = min(retry_after_s or 0.0, self._config.retry_after_cap_s)
        wait.failures += 1
        wait.due = self._now() + max(asked, self._draw(0.0, cap))

    def _is_ahead(self, wait: Wait | None) -> bool:
        if wait is None:
            return False
        left = wait.due - self._now()
        # Further ahead than any wait can be: the clock was set back.
        return 0 < left <= max(self._config.cap_s, self._config.retry_after_cap_s)
