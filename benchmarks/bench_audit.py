"""How fast an audit is, beside cat, sha256, jq and Python's json.

``python -m benchmarks.bench_audit [--size 1GB] [--small 100MB] [--repeat 3] [--engines] [--layouts]``

jq and json read whole files into memory and are measured on the small file; their rows' speed can be compared, their
time not.
"""

import argparse
import subprocess
import sys
import tempfile
from pathlib import Path

from benchmarks.generate import count_for, write_export
from benchmarks.rounds import Row, python_row, run_rounds

UNITS = {"KB": 10**3, "MB": 10**6, "GB": 10**9}


def size_of(text: str) -> int:
    return int(float(text[:-2]) * UNITS[text[-2:].upper()])


def audit_rows(path: str) -> list[Row]:
    return [
        python_row("nothing (import only)", "nothing"),
        Row("cat", ("cat", path)),
        python_row("hashlib sha256", "sha256", path),
        python_row("audit", "audit", path),
        python_row("audit, 2 processes", "audit", path, "--jobs", "2"),
    ]


def other_layouts(folder: Path, small: Path) -> list[Row]:
    # In a process of its own: a child's greatest memory counts its parent's at the time of the fork.
    subprocess.run((sys.executable, "-m", "benchmarks.archive_job", "layouts", small, "--into", folder), check=True)
    rows = [python_row(f"audit, {path.stem}", "audit", str(path)) for path in sorted(folder.glob("layout *.json"))]
    return [Row("cat", ("cat", str(small))), *rows]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--size", default="1GB")
    parser.add_argument("--small", default="100MB")
    parser.add_argument("--repeat", type=int, default=3)
    parser.add_argument("--engines", action="store_true", help="each engine on the small file")
    parser.add_argument("--layouts", action="store_true", help="other layouts of the small file")
    arguments = parser.parse_args()
    large_bytes, small_bytes = size_of(arguments.size), size_of(arguments.small)
    with tempfile.TemporaryDirectory(prefix="bench-audit-") as name:
        folder = Path(name)
        large = write_export(folder / "large.json", range(count_for(large_bytes)))
        small = write_export(folder / "small.json", range(count_for(small_bytes)))
        print(f"\n{arguments.size}")
        cpus = run_rounds(audit_rows(str(large)), repeat=arguments.repeat, size_bytes=large_bytes, base="cat")
        print(f"audit / sha256 = {cpus['hashlib sha256'] / cpus['audit']:.2f} (bytes a CPU second)")
        print(f"\n{arguments.small}")
        rows = [
            *audit_rows(str(small))[1:4],
            Row("jq empty", ("jq", "empty", str(small))),
            python_row("json.loads of the whole file", "json", str(small)),
        ]
        run_rounds(rows, repeat=arguments.repeat, size_bytes=small_bytes, base="audit")
        if arguments.engines:
            engines = [
                python_row(f"scan, {e}", "scan", str(small), "--engine", e) for e in ("simdjson", "msgspec", "json")
            ]
            run_rounds(engines, repeat=arguments.repeat, size_bytes=small_bytes, base="scan, simdjson")
        if arguments.layouts:
            run_rounds(other_layouts(folder, small), repeat=arguments.repeat, size_bytes=small_bytes, base="cat")


if __name__ == "__main__":
    main()
