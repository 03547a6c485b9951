"""The CPU time that each of a benchmark's processes takes, by what it is."""

import os
from collections import defaultdict
from pathlib import Path

_TICKS = os.sysconf("SC_CLK_TCK")
_NAMES = (
    ("benchmarks.shipping.load", "clients"),
    ("benchmarks.relay", "relays"),
    ("receive run", "receivers"),
    ("weed", "SeaweedFS"),
    ("postgres", "PostgreSQL"),
)


class CpuByName:
    """Seconds of CPU of all processes below this one, between ``begin`` and ``end``."""

    def __init__(self) -> None:
        self._before: dict[str, float] = {}
        self._after: dict[str, float] = {}

    def begin(self) -> None:
        """Look now."""
        self._before = _seconds()

    def end(self) -> None:
        """Look again, while they all live."""
        self._after = _seconds()

    def told(self, count: int, wall_s: float) -> str:
        """Return what one of so many took of each, and of the machine's cores."""
        spent = {name: self._after.get(name, 0.0) - self._before.get(name, 0.0) for _, name in _NAMES}
        each = ", ".join(f"{name} {1000 * seconds / count:.1f}" for name, seconds in spent.items())
        cores = sum(spent.values()) / wall_s
        return f"ms of CPU an upload: {each}; {cores:.2f} of {os.cpu_count()} cores"


def _seconds() -> dict[str, float]:
    """Return the CPU time of every process below this one, by name."""
    parents: dict[int, int] = {}
    taken: dict[int, float] = {}
    for stat in Path("/proc").glob("[0-9]*/stat"):
        try:
            fields = stat.read_text().rpartition(")")[2].split()
        except OSError:
            continue
        parents[int(stat.parent.name)] = int(fields[1])
        taken[int(stat.parent.name)] = (int(fields[11]) + int(fields[12])) / _TICKS
    found: dict[str, float] = defaultdict(float)
    for process, seconds in taken.items():
        above = process
        while above > 1 and above != os.getpid():
            above = parents.get(above, 0)
        if above == os.getpid() and process != above:
            found[_name(process)] += seconds
    return found


def _name(process: int) -> str:
    try:
        line = Path(f"/proc/{process}/cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace")
    except OSError:
        return ""
    return next((name for part, name in _NAMES if part in line), "")
