"""Which host of a cluster gets the next item: one that is there, has a place free, and keeps the item's run.

The choice is made here and not by Dask, so that it can be written down before anybody begins.
"""

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from threading import Lock

from dce_play.runner.fan_out.cluster_checks import WorkerFacts
from dce_play.runner.fan_out.order import ItemOrder


@dataclass(slots=True)
class HostSlots:
    """How many items each host takes at a time, and how many it has. Called from two threads."""

    _slots: dict[str, int] = field(default_factory=dict)
    """Of the hosts that are there, and of those that were, as they may come back."""
    _homes: dict[str, str] = field(default_factory=dict)
    _there: frozenset[str] = frozenset()
    _busy: Counter[str] = field(default_factory=Counter)
    _lock: Lock = field(default_factory=Lock)

    def look(self, workers: Iterable[WorkerFacts], /) -> None:
        """Take note of who is there now."""
        slots = Counter[str]()
        with self._lock:
            for worker in workers:
                slots[worker.host] += worker.slots
                self._homes[worker.host] = worker.home
            self._there = frozenset(slots)
            self._slots.update(slots)

    def knows(self, host: str, /) -> bool:
        """Return whether a host is there, or was; of no name, whether any is."""
        return host in self._slots if host else bool(self._slots)

    def has(self, host: str, /) -> bool:
        """Return whether a host is there now."""
        return host in self._there

    def bind(self, order: ItemOrder, /) -> ItemOrder | None:
        """Return the order with its host and home; as it is when nobody may take it; ``None`` while all are busy."""
        with self._lock:
            if not self.knows(order.host):
                return order
            host = order.host or self._freest()
            if self._slots[host] <= self._busy[host]:
                return None
            return replace(order, host=host, home=order.home or self._homes[host])

    def _freest(self) -> str:
        """Return the host with the most free places; one that is gone only when all are."""
        return max(sorted(self._there or self._slots), key=lambda host: self._slots[host] - self._busy[host])

    def count(self, host: str, more: int, /) -> None:
        """Count an item that a host was given, or that it has no more."""
        with self._lock:
            self._busy[host] += more
