"""How fast a merge is, beside cp and jq.

``python -m benchmarks.bench_merge [--size 1GB] [--small 100MB] [--repeat 3]``
"""

import argparse
import tempfile
from pathlib import Path

from benchmarks.bench_audit import size_of
from benchmarks.generate import count_for, write_export
from benchmarks.rounds import Row, python_row, run_rounds

JQ_MERGE = ".[0] as $a | .[1] as $b | $a + {messages: ($a.messages + $b.messages | unique_by(.id))}"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--size", default="1GB")
    parser.add_argument("--small", default="100MB")
    parser.add_argument("--repeat", type=int, default=3)
    arguments = parser.parse_args()
    large_bytes, small_bytes = size_of(arguments.size), size_of(arguments.small)
    large, small = count_for(large_bytes), count_for(small_bytes)
    with tempfile.TemporaryDirectory(prefix="bench-merge-") as name:
        folder = Path(name)
        out = folder / "out.json"
        archive = write_export(folder / "archive.json", range(large))
        overlap = write_export(folder / "overlap.json", range(large - small // 2, large + small // 2))
        even = write_export(folder / "even.json", range(0, large, 2))
        odd = write_export(folder / "odd.json", range(1, large, 2))
        first = write_export(folder / "first.json", range(small))
        second = write_export(folder / "second.json", range(small // 4, small + small // 4))
        print(f"\n{arguments.size}")
        rows = [
            Row("cp", ("cp", str(archive), str(out))),
            python_row("merge, overlap at the end", "merge", str(archive), str(overlap), "--into", str(out)),
            python_row("merge, every other message", "merge", str(even), str(odd), "--into", str(out)),
        ]
        for row in rows:
            row.before = lambda: out.unlink(missing_ok=True)
        run_rounds(rows, repeat=arguments.repeat, size_bytes=large_bytes, base="cp")
        print(f"\n{arguments.small} + {arguments.small}, three quarters in both")
        rows = [
            python_row("merge", "merge", str(first), str(second), "--into", str(out)),
            Row("jq -s", ("jq", "-s", JQ_MERGE, str(first), str(second))),
        ]
        run_rounds(rows, repeat=arguments.repeat, size_bytes=2 * small_bytes, base="merge")


if __name__ == "__main__":
    main()
