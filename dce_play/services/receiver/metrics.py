"""The receiver's metrics: counters from what was received, gauges looked up when somebody asks."""

from collections.abc import Iterator
from typing import Any

from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric

from dce_play.services.receiver.context import ReceiverContext

CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"


def metrics_text(context: ReceiverContext, *, certificate_ends: float | None) -> bytes:
    """Return all metrics in Prometheus's text format. Blocks for a look at the store."""
    registry = CollectorRegistry(auto_describe=False)
    registry.register(_Collector(context, certificate_ends))
    return generate_latest(registry)


class _Collector:
    def __init__(self, context: ReceiverContext, certificate_ends: float | None) -> None:
        self._context = context
        self._certificate_ends = certificate_ends

    def collect(self) -> Iterator[Metric]:
        yield from self._counters()
        yield from self._store()
        yield from self._gate()

    def _counters(self) -> Iterator[Metric]:
        results, responses = self._context.tally.counters()
        hosts = self._context.tally.snapshot()
        episodes = CounterMetricFamily("dce_receive_episodes", "Episodes by host and result", labels=["host", "result"])
        for (host, result), count in sorted(results.items()):
            episodes.add_metric([host, result], count)
        yield episodes
        answers = CounterMetricFamily("dce_receive_responses", "Answers by code and status", labels=["code", "status"])
        for (code, status), count in sorted(responses.items()):
            answers.add_metric([code, status], count)
        yield answers
        stored = CounterMetricFamily("dce_receive_bytes", "Bytes of stored archives by host", labels=["host"])
        seen = _gauge("host_last_seen_timestamp_seconds", "When a host was last heard", ["host"])
        for name, tally in hosts.items():
            stored.add_metric([name], tally.bytes)
            if tally.last_seen:
                seen.add_metric([name], tally.last_seen)
        yield stored
        yield seen

    def _store(self) -> Iterator[Metric]:
        context = self._context
        counts = context.storage.counts()
        yield _value("inflight", "Uploads that run", context.slots.total)
        free = context.storage.free_bytes()
        if free is not None:
            yield _value("store_free_bytes", "Room in the store", free)
        yield _value("store_episodes", "Episodes in the store", counts.episodes)
        yield _value("index_missing", "Episodes in the store that the index lacks", counts.unlisted)
        if self._certificate_ends:
            yield _value("cert_expiry_timestamp_seconds", "When our certificate ends", self._certificate_ends)

    def _gate(self) -> Iterator[Metric]:
        gate = self._context.gate
        up = _gauge("gate_up", "Whether a source of the gate answered last time", ["source"])
        for source, reason in sorted(gate.reasons.items()):
            up.add_metric([source], 0 if reason else 1)
        yield up
        yield _value("gate_enabled", "Whether out-of-date code is refused", int(gate.config.enabled))
        if gate.age_s is not None:
            yield _value("gate_age_seconds", "How old the set of accepted commits is", gate.age_s)


def _gauge(name: str, text: str, labels: list[str]) -> Any:
    return GaugeMetricFamily(f"dce_receive_{name}", text, labels=labels)


def _value(name: str, text: str, value: float) -> Metric:
    return GaugeMetricFamily(f"dce_receive_{name}", text, value=value)
