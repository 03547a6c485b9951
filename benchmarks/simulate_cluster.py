"""A cluster on paper: 200 hosts, 10,000 targets, one parent. What is busy, what waits, and what breaks first.

``python -m benchmarks.simulate_cluster [--hosts 200] [--targets 10000] [--work 60] [--events 12]``

Each message costs the scheduler and the parent a slice of one CPU, one after another; the slices were measured by
``bench_fan_out`` on this machine and are options. Workers do one item at a time. Nothing here talks to Dask.
"""

import argparse
import heapq
import random
from collections import deque
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Costs:
    """Seconds of CPU, but for the last."""

    scheduler_item_s: float
    """Placing an item, its start and its end."""
    scheduler_event_s: float
    """Taking an event and handing it on."""
    parent_item_s: float
    """Making an order, and taking a result."""
    parent_event_s: float
    """Folding an event into journal and screen."""
    child_s: float
    """What an item costs on its host beside its work."""


@dataclass(slots=True)
class Server:
    """Something that does one thing after another."""

    free_at: float = 0.0
    busy_s: float = 0.0
    longest_wait_s: float = 0.0

    def serve(self, now: float, cost_s: float) -> float:
        """Return when what comes now is done."""
        start = max(now, self.free_at)
        self.longest_wait_s = max(self.longest_wait_s, start - now)
        self.free_at = start + cost_s
        self.busy_s += cost_s
        return self.free_at


@dataclass(frozen=True, slots=True)
class Outcome:
    """What came of it."""

    total_s: float
    ideal_s: float
    scheduler: Server
    parent: Server


def simulate(hosts: int, targets: int, work_s: float, events: int, costs: Costs, *, seed: int = 1) -> Outcome:
    """Run every target on its host; two items a host are with the scheduler at any time, as the parent keeps it."""
    dice = random.Random(seed)
    waiting = [deque(dice.lognormvariate(0.0, 0.7) * work_s for _ in range(hosts, targets + hosts, hosts))
               for _ in range(hosts)]  # fmt: skip
    ideal_s = max(sum(items) for items in waiting)
    scheduler, parent = Server(), Server()
    moments: list[tuple[float, int, int, str]] = []
    number = 0

    def give_out(host: int, now: float) -> None:
        nonlocal number
        if waiting[host]:
            number += 1
            told = scheduler.serve(parent.serve(now, costs.parent_item_s), costs.scheduler_item_s)
            heapq.heappush(moments, (told, number, host, "ready"))

    ready = [0] * hosts
    idle = [True] * hosts
    for host in range(hosts):
        give_out(host, 0.0)
        give_out(host, 0.0)
    now = 0.0
    while moments:
        now, _, host, what = heapq.heappop(moments)
        if what == "ready":
            ready[host] += 1
        elif what == "event":
            parent.serve(scheduler.serve(now, costs.scheduler_event_s), costs.parent_event_s)
        else:
            idle[host] = True
            give_out(host, scheduler.serve(now, costs.scheduler_item_s))
        if idle[host] and ready[host] and waiting[host]:
            ready[host] -= 1
            idle[host] = False
            length = waiting[host].popleft() + costs.child_s
            for step in range(events):
                number += 1
                heapq.heappush(moments, (now + length * (step + 1) / (events + 1), number, host, "event"))
            number += 1
            heapq.heappush(moments, (now + length, number, host, "end"))
    return Outcome(max(now, parent.free_at), ideal_s, scheduler, parent)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--hosts", type=int, default=200)
    parser.add_argument("--targets", type=int, default=10_000)
    parser.add_argument("--work", type=float, nargs="*", default=[300.0, 60.0, 10.0, 2.0, 0.5], help="seconds an item")
    parser.add_argument("--events", type=int, default=12, help="events an item")
    parser.add_argument("--scheduler-item-ms", type=float, default=2.0)
    parser.add_argument("--scheduler-event-ms", type=float, default=0.3)
    parser.add_argument("--parent-item-ms", type=float, default=3.0)
    parser.add_argument("--parent-event-ms", type=float, default=1.8)
    parser.add_argument("--child-ms", type=float, default=25.0)
    given = parser.parse_args()
    slices = (given.scheduler_item_ms, given.scheduler_event_ms, given.parent_item_ms, given.parent_event_ms)
    costs = Costs(
        scheduler_item_s=slices[0] / 1000,
        scheduler_event_s=slices[1] / 1000,
        parent_item_s=slices[2] / 1000,
        parent_event_s=slices[3] / 1000,
        child_s=given.child_ms / 1000,
    )
    print(f"{given.hosts} hosts, {given.targets} targets, {given.events} events an item")
    print("   work    total    ideal   lost  scheduler busy  parent busy  parent behind by")
    for work_s in given.work:
        outcome = simulate(given.hosts, given.targets, work_s, given.events, costs)
        lost = outcome.total_s / outcome.ideal_s - 1
        print(
            f"{work_s:6.1f}s {outcome.total_s:7.0f}s {outcome.ideal_s:7.0f}s {lost:6.1%}"
            f" {outcome.scheduler.busy_s / outcome.total_s:14.1%} {outcome.parent.busy_s / outcome.total_s:12.1%}"
            f" {outcome.parent.longest_wait_s:16.1f}s"
        )


if __name__ == "__main__":
    main()
