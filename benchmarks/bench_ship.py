"""What shipping costs, row by row: beside the shell's tools where they do the same, else in seconds and bytes.

Run: ``python -m benchmarks.bench_ship [ROW…] [--rounds N] [--scale N]``. Two programs that are compared take turns; the
best of each counts. ``--scale 16`` makes everything sixteen times smaller. The shell's server writes and fsyncs, and
verifies nothing.
"""

import argparse
from collections.abc import Callable
from functools import partial

from benchmarks.shipping.memory import measure_memory
from benchmarks.shipping.passes import measure_idle, measure_waiting
from benchmarks.shipping.puts import measure_put
from benchmarks.shipping.resume import measure_resume
from benchmarks.shipping.rounds import measure_round
from benchmarks.shipping.shared import measure_shared_put_beside, measure_two
from benchmarks.shipping.stand import Stand, large_episode, open_stand, small_episodes
from benchmarks.shipping.stores import measure_put_beside, measure_start

_ROWS = ("small", "large", "put", "memory", "idle", "waiting", "index", "start", "resume", "shared-index", "two")


def main() -> None:
    """Print the rows that were asked for, all of them without any."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("rows", nargs="*", choices=[*_ROWS, []], help="default: all")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--scale", type=int, default=1)
    given = parser.parse_args()
    rounds, scale = given.rounds, given.scale
    mebibytes = 1024 // scale
    beside: dict[str, Callable[[Stand], None]] = {
        "small": lambda stand: measure_round(
            stand,
            f"{1000 // scale} episodes of 20 KiB",
            partial(small_episodes, count=1000 // scale),
            rounds=rounds,
        ),
        "large": lambda stand: measure_round(
            stand, f"one episode of {mebibytes} MiB", partial(large_episode, mebibytes=mebibytes), rounds=rounds
        ),
        "put": lambda stand: measure_put(stand, mebibytes=mebibytes, rounds=rounds),
        "idle": lambda stand: measure_idle(stand, count=10_000 // scale, rounds=5 * rounds),
        "waiting": lambda stand: measure_waiting(stand, count=10_000 // scale),
        "resume": lambda stand: measure_resume(stand, mebibytes=mebibytes),
    }
    alone: dict[str, Callable[[], None]] = {
        "memory": lambda: measure_memory((64 // scale, 4096 // scale)),
        "index": lambda: measure_put_beside(100_000 // scale, puts=50 * rounds),
        "start": lambda: measure_start(100_000 // scale, rounds=rounds),
        "shared-index": lambda: measure_shared_put_beside(100_000 // scale, puts=100, rounds=rounds),
        "two": lambda: measure_two(uploads=400 // scale, rounds=rounds),
    }
    for row in given.rows or _ROWS:
        if row in alone:
            alone[row]()
        else:
            with open_stand() as stand:
                beside[row](stand)


if __name__ == "__main__":
    main()
