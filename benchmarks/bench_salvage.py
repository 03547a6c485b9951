"""How fast the salvage of one large file is, beside cp and an audit.

``python -m benchmarks.bench_salvage [--size 1GB] [--repeat 3]``
"""

import argparse
import os
import tempfile
from pathlib import Path

from benchmarks.bench_audit import size_of
from benchmarks.generate import count_for, write_export
from benchmarks.rounds import Row, python_row, run_rounds


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--size", default="1GB")
    parser.add_argument("--repeat", type=int, default=3)
    arguments = parser.parse_args()
    size_bytes = size_of(arguments.size)
    with tempfile.TemporaryDirectory(prefix="bench-salvage-") as name:
        folder = Path(name)
        out = folder / "out.json"
        whole = write_export(folder / "whole.json", range(count_for(size_bytes)))
        cut = folder / "cut.json"
        os.link(write_export(folder / "other.json", range(count_for(size_bytes))), cut)
        os.truncate(cut, cut.stat().st_size - 700)
        rows = [
            Row("cp", ("cp", str(whole), str(out))),
            python_row("audit", "audit", str(whole)),
            python_row("salvage", "salvage", str(cut), "--into", str(out)),
        ]
        for row in rows:
            row.before = lambda: out.unlink(missing_ok=True)
        run_rounds(rows, repeat=arguments.repeat, size_bytes=size_bytes, base="cp")


if __name__ == "__main__":
    main()
