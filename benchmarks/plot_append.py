"""Draws what an append of 1,000 messages costs against the size of the channel file, beside jq and cp.

``python -m benchmarks.plot_append docs/design/append-cost.svg`` measures (cpu seconds of whole processes, the least of
three tries, which a busy machine hardly changes) and draws. Needs matplotlib and jq; neither is among our requirements.
"""

import argparse
import resource
import subprocess
import sys
import tempfile
from pathlib import Path

from benchmarks.bench_append import JQ_MERGE
from benchmarks.generate import count_for, write_export

SIZES_MB = (1, 3, 10, 30, 100, 300, 1000)
JQ_UP_TO_MB = 100
TRIES = 3


def cpu_s(*argv: str) -> float:
    """Return the user and system seconds of one process and its children."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    subprocess.run(argv, check=True, stdout=subprocess.DEVNULL)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


def measure(folder: Path, size_mb: int) -> dict[str, float]:
    """Return the cpu seconds of each way for a file of this size."""
    count = count_for(size_mb << 20)
    archive, copy = folder / "archive.json", folder / "copy.json"
    write_export(archive, range(count))
    found: dict[str, float] = {}
    for number in range(TRIES + 1):
        delta = folder / "delta.json"
        write_export(delta, range(count + number * 1000, count + (number + 1) * 1000))
        took = cpu_s(sys.executable, "-m", "dce_play", "archive", "append", str(archive), str(delta))
        if number:  # the first one reads the file once, as nobody recorded it
            found["dce-play archive append"] = min(took, found.get("dce-play archive append", took))
        found["cp"] = min(cpu_s("cp", str(archive), str(copy)), found.get("cp", 1e9))
    if size_mb <= JQ_UP_TO_MB:
        found["jq -s (merge, as the old scripts did)"] = cpu_s("jq", "-s", JQ_MERGE, str(archive), str(delta))
    return found


def draw(rows: dict[int, dict[str, float]], out: Path) -> None:
    """Draw the curves."""
    import matplotlib as mpl  # not among our requirements: only whoever draws needs it

    mpl.use("svg")
    from matplotlib import pyplot as plt

    figure, axes = plt.subplots(figsize=(7.5, 4.5))
    for name in rows[SIZES_MB[0]]:
        points = [(size, row[name]) for size, row in rows.items() if name in row]
        axes.plot(*zip(*points, strict=True), marker="o", label=name)
    axes.set(
        xscale="log",
        yscale="log",
        xlabel="size of the channel file, MB",
        ylabel="cpu seconds of the whole process",
        title="Appending 1,000 messages",
    )
    axes.grid(visible=True, which="both", alpha=0.25)
    axes.legend()
    figure.tight_layout()
    figure.savefig(out, metadata={"Date": None})
    figure.savefig(out.with_suffix(".png"), dpi=80)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("out", type=Path)
    given = parser.parse_args()
    rows: dict[int, dict[str, float]] = {}
    for size_mb in SIZES_MB:
        with tempfile.TemporaryDirectory(prefix="plot-append-") as folder:
            rows[size_mb] = measure(Path(folder), size_mb)
        print(size_mb, "MB", {name: round(value, 3) for name, value in rows[size_mb].items()}, flush=True)
    draw(rows, given.out)


if __name__ == "__main__":
    main()
