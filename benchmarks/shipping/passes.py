"""A pass beside what is finished, and one over what waits: in this process, without its start."""

import json
import time
from collections.abc import Callable

from benchmarks.shipping.stand import Stand
from dce_play.services.shipper import open_shipper
from dce_play.transfer.sending.settings import load_config
from tests.support.lab_hosts import LabHost
from tests.support.stand_in_receiver import Canned, receiving


def measure_idle(stand: Stand, *, count: int, rounds: int) -> None:
    """Print how long a pass with nothing to do takes beside so many shipped and so many quarantined episodes."""
    host = stand.host("idle")
    reason = {"v": 1, "id": "x", "reason": "unstamped", "quarantined_at": "2026-11-28T00:00:00Z"}
    for number in range(count):
        name = f"e{number:05}"
        (host.data / "shipped" / name).mkdir(parents=True)
        (host.data / "shipped" / f"{name}.receipt.json").write_text("{}")
        (host.data / "quarantine" / name).mkdir(parents=True)
        (host.data / "quarantine" / name / "quarantine_reason.json").write_text(json.dumps({**reason, "id": name}))
    host.config.write_text(host.config.read_text().replace("cleanup_interval_s = 0", "cleanup_interval_s = 3600"))
    with open_shipper(load_config(host.config), environment={}) as shipper:
        shipper.once()
        best = min(_timed(shipper.once) for _ in range(rounds))
    print(f"an idle pass beside {count:,} shipped and {count:,} quarantined: {1000 * best:.1f} ms", flush=True)


def measure_waiting(stand: Stand, *, count: int) -> None:
    """Print how long a pass over so many waiting episodes takes before the first one goes out."""
    with receiving() as receiver:
        host = LabHost(folder=stand.folder / "waiting", url=receiver.url)
        host.folder.mkdir()
        host.write_config()
        for number in range(count):
            host.episode(f"e{number:05}", files={"a": b"x"})
        first: list[float] = []

        def answer(*_: object) -> Canned:
            first.append(time.perf_counter())
            return Canned(status=503)

        receiver.answer = answer
        with open_shipper(load_config(host.config), environment={}) as shipper:
            began = time.perf_counter()
            shipper.once()
    print(f"a pass over {count:,} waiting episodes, to the first request: {first[0] - began:.2f} s", flush=True)


def _timed(call: Callable[[], object]) -> float:
    began = time.perf_counter()
    call()
    return time.perf_counter() - began
