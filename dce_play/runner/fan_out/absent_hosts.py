"""Hosts whose items wait because no worker of theirs answers: told at once, and waited for only so long.

A worker that is gone is missing at the scheduler; of one that stands still the scheduler goes on telling, but the time
at which it was heard last does not change. Only our own clock says how long that is so.
"""

import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import TypeAlias

from dce_play.runner.fan_out.cluster_checks import WorkerFacts

SILENT_S = 6.0
"""A worker that was not heard of for so long does not answer. Dask has them tell every half second, 200 every 2 s."""
WAIT_S = 600.0
"""An item whose host has no worker that answers for so long has failed. Dask gives a silent worker up after 300 s."""
_SHOWN = 5

Warn: TypeAlias = Callable[[str, str], None]
"""Tells the operator a message, and what to do."""


class AbsentHosts:
    """What is known of the workers, look by look."""

    def __init__(self, start: str, warn: Warn, *, monotonic: Callable[[], float] = time.monotonic) -> None:
        """``start`` is the command that starts a worker, but for the host's name at its end."""
        self._start = start
        self._warn = warn
        self._monotonic = monotonic
        self._heard: dict[str, tuple[float, float]] = {}
        self._answering: frozenset[str] = frozenset()
        self._absent: dict[str, float] = {}

    def look(self, workers: Iterable[WorkerFacts], /) -> None:
        """Take note of who is there, and when each was heard last."""
        now, answering = self._monotonic(), set[str]()
        for worker in workers:
            heard, at = self._heard.get(worker.address, (None, now))
            if heard != worker.heard:
                at = now
                self._heard[worker.address] = (worker.heard, at)
            if now - at < SILENT_S:
                answering.add(worker.host)
        self._answering = frozenset(answering)

    def tell(self, waiting: Mapping[str, Sequence[str]], /) -> Iterable[str]:
        """Tell of hosts that are gone or back, once each; return those to wait for no longer.

        ``waiting`` has the ids of the items at work, by host.
        """
        now = self._monotonic()
        for host, ids in waiting.items():
            if host not in self._answering and host not in self._absent:
                self._absent[host] = now
                more = f" and {len(ids) - _SHOWN} more" if len(ids) > _SHOWN else ""
                self._warn(
                    f"no worker of the host {host} answers; {', '.join(ids[:_SHOWN])}{more} waits for one",
                    f"start one there: {self._start} {host}",
                )
            elif host in self._answering and self._absent.pop(host, None) is not None:
                self._warn(f"a worker of the host {host} answers again", "")
        return [host for host in waiting if now - self._absent.get(host, now) >= WAIT_S]
