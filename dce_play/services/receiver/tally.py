"""What was received, refused and seen, by host: for metrics, the status page and the quota. Safe for threads."""

import threading
import time
from collections import Counter
from datetime import UTC, datetime

import msgspec

from dce_play.system.clock import utc_stamp
from dce_play.transfer.wire import IndexRow

NOBODY = "unknown"


class HostTally(msgspec.Struct):
    """One host's numbers."""

    episodes: int = 0
    bytes: int = 0
    today: str = ""
    episodes_today: int = 0
    bytes_today: int = 0
    last_seen: float = 0.0
    """Unix time of its last request that we believed; 0 for never since the start."""
    last_stored: str = ""
    commit: str | None = None
    verdict: str | None = None
    cert_not_after: str | None = None


class Tally:
    """The numbers of all hosts. Rebuilt from the index at start, row by row."""

    def __init__(self) -> None:
        self._mutex = threading.Lock()
        self.hosts: dict[str, HostTally] = {}
        self.results: Counter[tuple[str, str]] = Counter()
        self.responses: Counter[tuple[str, str]] = Counter()
        self.refusals: dict[str, Counter[str]] = {}

    def add_row(self, row: IndexRow) -> None:
        """Count a stored episode."""
        with self._mutex:
            name = row.host_id or NOBODY
            host = self._host(name)
            host.episodes += 1
            host.bytes += row.size
            day = row.stored_at[:10]
            if day > host.today:
                host.today, host.episodes_today, host.bytes_today = day, 0, 0
            if day == host.today:
                host.episodes_today += 1
                host.bytes_today += row.size
            host.last_stored = max(host.last_stored, row.stored_at)
            self.results[name, "stored"] += 1

    def saw(self, name: str, *, cert_not_after: str | None) -> None:
        """Note that a host has shown itself."""
        with self._mutex:
            host = self._host(name)
            host.last_seen = time.time()
            host.cert_not_after = cert_not_after or host.cert_not_after

    def judged(self, name: str, *, commit: str | None, verdict: str) -> None:
        """Note what the gate said of a host's commit."""
        with self._mutex:
            host = self._host(name)
            host.commit, host.verdict = commit, verdict

    def count_result(self, name: str, result: str) -> None:
        """Count an episode that was not stored: duplicate, conflict or refused."""
        with self._mutex:
            self.results[name, result] += 1

    def count_response(self, name: str | None, *, code: str, status: int) -> None:
        """Count an answer; one with a code also for its host."""
        with self._mutex:
            self.responses[code, str(status)] += 1
            if code:
                self.refusals.setdefault(name or NOBODY, Counter())[code] += 1

    def bytes_of(self, name: str) -> int:
        """Return how much a host has stored."""
        with self._mutex:
            return self.hosts[name].bytes if name in self.hosts else 0

    def episodes(self) -> int:
        """Return how many episodes are listed."""
        with self._mutex:
            return sum(host.episodes for host in self.hosts.values())

    def snapshot(self) -> dict[str, HostTally]:
        """Return a copy by host, with today's numbers only where they are today's."""
        today = utc_stamp(datetime.now(UTC))[:10]
        with self._mutex:
            copies = {name: msgspec.structs.replace(host) for name, host in sorted(self.hosts.items())}
        for host in copies.values():
            if host.today != today:
                host.episodes_today = host.bytes_today = 0
        return copies

    def refusals_of(self, name: str) -> dict[str, int]:
        """Return a host's refusals by code, since the start."""
        with self._mutex:
            return dict(self.refusals.get(name, {}))

    def counters(self) -> tuple[dict[tuple[str, str], int], dict[tuple[str, str], int]]:
        """Return the results by host and result, and the answers by code and status."""
        with self._mutex:
            return dict(self.results), dict(self.responses)

    def _host(self, name: str) -> HostTally:
        host = self.hosts.get(name)
        if host is None:
            host = self.hosts[name] = HostTally()
        return host
