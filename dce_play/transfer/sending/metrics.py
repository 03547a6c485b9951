"""The shipper's numbers for Prometheus: a text file, replaced whole each pass, counted from the folders."""

import os
from collections import Counter
from datetime import datetime

from dce_play.system.durable.whole_files import write_atomic
from dce_play.transfer.ids import split_name
from dce_play.transfer.sending.connection.tls_files import client_certificate
from dce_play.transfer.sending.episodes.reason import read_reason
from dce_play.transfer.sending.episodes.spool import Spool
from dce_play.transfer.sending.status import census, unfinished_bytes
from dce_play.transfer.sending.tools import Tools

_SIZED = ("waiting", "new", "packed")


class Metrics:
    """Writes the file. Reasons in quarantine are counted when something there has changed, not each pass."""

    def __init__(self, tools: Tools) -> None:
        self._tools = tools
        self._reasons: Counter[str] = Counter()
        self._seen_ns = -1

    def write(self) -> None:
        """Write the file, if one is configured. It is not made durable: the next pass makes it again.

        Raises: OSError.
        """
        path = self._tools.config.metrics_file
        if path is None:
            return
        write_atomic(path, self._text(), mode=0o644, durable=False)

    def _text(self) -> bytes:
        from prometheus_client import CollectorRegistry, Gauge, generate_latest  # only with a file
        from prometheus_client import Counter as Total

        registry = CollectorRegistry()
        tools = self._tools
        seen = census(tools.spool)
        episodes = Gauge("dce_ship_episodes", "Episodes by state.", ["state"], registry=registry)
        sizes = Gauge("dce_ship_bytes", "Bytes by state.", ["state"], registry=registry)
        for state, identifiers in seen.by_state.items():
            episodes.labels(state).set(len(identifiers))
            if state in _SIZED:
                sizes.labels(state).set(unfinished_bytes(tools.spool, state, identifiers))
        episodes.labels("shipped").set(_count(tools.spool, "shipped"))
        episodes.labels("quarantined").set(_count(tools.spool, "quarantine"))
        oldest = Gauge("dce_ship_oldest_seconds", "Age of the oldest meta.json not shipped.", registry=registry)
        oldest.set(0 if seen.oldest_ns is None else max(0.0, tools.clock.now().timestamp() - seen.oldest_ns / 1e9))
        results = Total("dce_ship_results", "Tries by answer.", ["http", "outcome"], registry=registry)
        for key, count in tools.state.state.results.items():
            results.labels(*key.split(" ", 1)).inc(count)
        reasons = Gauge("dce_ship_quarantined", "Episodes in quarantine by reason.", ["reason"], registry=registry)
        for reason, count in self._count_reasons().items():
            reasons.labels(reason).set(count)
        success = Gauge("dce_ship_last_success_timestamp_seconds", "The last episode stored.", registry=registry)
        success.set(_seconds(tools.state.state.last_success))
        paused = Gauge("dce_ship_paused", "Whether the whole shipper waits.", ["why"], registry=registry)
        for why in ("auth", "unreachable"):
            paused.labels(why).set(tools.backoff.paused == why)
        certificate = client_certificate(tools.config.cert) if tools.config.cert else None
        if certificate is not None:
            expiry = Gauge("dce_ship_cert_expiry_timestamp_seconds", "The end of our certificate.", registry=registry)
            expiry.set(certificate.not_after.timestamp())
        return generate_latest(registry)

    def _count_reasons(self) -> Counter[str]:
        folder = self._tools.spool.quarantine
        changed_ns = folder.stat().st_mtime_ns
        if changed_ns != self._seen_ns:
            found = (read_reason(folder / name) for name in os.listdir(folder) if split_name(name))  # noqa: PTH208
            self._reasons = Counter(reason.reason if reason else "unknown" for reason in found)
            self._seen_ns = changed_ns
        return self._reasons


def _count(spool: Spool, name: str) -> int:
    folder = spool.shipped if name == "shipped" else spool.quarantine
    return sum(split_name(each) is not None for each in os.listdir(folder))  # noqa: PTH208 - names only, no stat


def _seconds(stamp: str | None) -> float:
    return datetime.fromisoformat(stamp).timestamp() if stamp else 0.0
