"""What ``/status.json`` and ``receive status`` tell: the store, the gate, and every host."""

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from dce_play.services.receiver.context import ReceiverContext
from dce_play.services.receiver.tally import HostTally
from dce_play.system.clock import utc_stamp
from dce_play.transfer.receiving.tokens import UnreadableTokens


def status_of(context: ReceiverContext, *, running: bool, certificate_ends: float | None) -> dict[str, Any]:
    """Return the status as one JSON object. Blocks for a look at the store."""
    storage, gate, tally = context.storage, context.gate, context.tally
    counts = storage.counts()
    view = gate.view(None)
    refusals = {name: tally.refusals_of(name) for name in tally.refusals}
    hosts = {name: HostTally() for name in {*refusals, *_with_tokens(context)}} | tally.snapshot()
    return {
        "receiver": context.config.name,
        "version": context.version,
        "time": utc_stamp(datetime.now(UTC)),
        "running": running,
        "ok": not storage.why_not() and not context.stopping,
        "problem": "stopping" if context.stopping else storage.why_not() or None,
        "inflight": context.slots.total,
        "store": {
            "kind": context.config.store.kind,
            "free_bytes": storage.free_bytes(),
            "min_free": context.config.limits.min_free,
            "episodes": counts.episodes,
            "unlisted": counts.unlisted,
            "bytes": sum(host.bytes for host in hosts.values()),
        },
        "gate": {
            "enabled": gate.config.enabled,
            "state": view.state,
            "source": gate.source,
            "head_commit": view.head_commit,
            "window": gate.config.window,
            "age_s": None if gate.age_s is None else round(gate.age_s, 1),
            "sources": dict(gate.reasons),
        },
        "cert_not_after": _stamp(certificate_ends),
        "hosts": [_host(name, host, refusals.get(name, {})) for name, host in sorted(hosts.items())],
    }


def _with_tokens(context: ReceiverContext) -> set[str]:
    """Return the hosts that may send: one that has never been heard is worth a row."""
    now = datetime.now(UTC)
    try:
        return {token.host_id for token in context.tokens.all() if token.role == "ship" and not token.expired(now)}
    except UnreadableTokens:
        return set()


def _host(name: str, host: HostTally, refusals: Mapping[str, int]) -> dict[str, Any]:
    return {
        "host_id": name,
        "last_seen": _stamp(host.last_seen),
        "last_stored": host.last_stored or None,
        "episodes": host.episodes,
        "bytes": host.bytes,
        "episodes_today": host.episodes_today,
        "bytes_today": host.bytes_today,
        "refusals": dict(sorted(refusals.items())),
        "commit": host.commit,
        "verdict": host.verdict,
        "cert_not_after": host.cert_not_after,
    }


def _stamp(moment: float | None) -> str | None:
    return utc_stamp(datetime.fromtimestamp(moment, UTC)) if moment else None
