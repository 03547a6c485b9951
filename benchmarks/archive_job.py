"""One job of the archive core, or a yardstick in Python, as a whole process: for the benchmarks."""

import argparse
import hashlib
import json
from datetime import UTC, datetime
from pathlib import Path

from dce_play.discord.archive.audit.audit import audit_file
from dce_play.discord.archive.merge.merge import merge
from dce_play.discord.archive.salvage.repair import salvage_file
from dce_play.discord.archive.scan.channel_bytes import open_bytes
from dce_play.discord.archive.scan.engine import ENGINES
from dce_play.discord.archive.scan.scanner import Scanner


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("job", choices=["nothing", "audit", "scan", "merge", "salvage", "sha256", "json", "layouts"])
    parser.add_argument("files", type=Path, nargs="*")
    parser.add_argument("--jobs", type=int, default=1)
    parser.add_argument("--engine", default="simdjson")
    parser.add_argument("--into", type=Path)
    arguments = parser.parse_args()
    match arguments.job:
        case "audit":
            found = audit_file(arguments.files[0], now=datetime.now(UTC), jobs=arguments.jobs)
            assert found.ok, found.findings
        case "scan":
            engine = next(engine for engine in ENGINES if engine.name == arguments.engine)
            with open_bytes(arguments.files[0]) as source:
                Scanner(source, engine=engine()).read_all()
        case "merge":
            merge(arguments.files, arguments.into)
        case "salvage":
            salvage_file(arguments.files[0], arguments.into)
        case "sha256":
            with arguments.files[0].open("rb") as file:
                hashlib.file_digest(file, "sha256")
        case "json":
            json.loads(arguments.files[0].read_bytes())
        case "layouts":
            write_layouts(arguments.files[0], arguments.into)


def write_layouts(export: Path, folder: Path) -> None:
    """Write the same export in other layouts."""
    value = json.loads(export.read_bytes())
    layouts = {
        "minified": json.dumps(value, separators=(",", ":")),
        "four spaces": json.dumps(value, indent=4),
        "sorted keys": json.dumps(value, indent=2, sort_keys=True),
        "sorted keys, minified": json.dumps(value, separators=(",", ":"), sort_keys=True),
        "messages first": json.dumps({"messages": value.pop("messages")} | value, indent=2),
    }
    for name, text in layouts.items():
        (folder / f"layout {name}.json").write_text(text)
    (folder / "layout crlf.json").write_bytes(export.read_bytes().replace(b"\n", b"\r\n"))


if __name__ == "__main__":
    main()
