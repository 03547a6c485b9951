"""Media fetched into the store beside aria2c, wget2 and curl with four connections; a ledger of a million lines.

Run: ``python -m benchmarks.bench_media [--files 10000] [--kib 100] [--rounds 3] [--big 64,1024] [--lines 1000000]``.
None of them hashes, fsyncs or keeps a ledger: their wall time is the network's and the disk's.
"""

import argparse
import json
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path

from benchmarks.rounds import Row

_CHANNEL = "1234567890123456789"
_PLAY = (sys.executable, "-m", "dce_play")


def target(folder: Path, port: int, urls: list[str], size: int) -> Path:
    """Lay out a target with one channel file that names these URLs; return the targets file."""
    archive = folder / "archive" / "t"
    archive.mkdir(parents=True)
    messages = [
        {
            "id": str(10**18 + number),
            "timestamp": "2026-01-01T00:00:00+00:00",
            "attachments": [
                {"id": str(7000 + number), "url": url, "fileName": url.rpartition("/")[2], "fileSizeBytes": size}
            ],
        }
        for number, url in enumerate(urls)
    ]
    whole = {
        "guild": {"id": "1", "name": "G"},
        "channel": {"id": _CHANNEL, "type": "GuildTextChat", "name": "general"},
        "messages": messages,
        "messageCount": len(messages),
    }
    (archive / f"G - general [{_CHANNEL}].json").write_text(json.dumps(whole, indent=2))
    entry = {
        "name": "t",
        "output_dir": str(archive),
        "channel_ids": [_CHANNEL],
        "media": "attachments",
        "media_hosts": [f"http://127.0.0.1:{port}"],
    }
    config = folder / "scrape-targets.json"
    config.write_text(json.dumps({"archive_root": str(archive.parent), "targets": [entry]}))
    return config


def fetch_row(folder: Path, config: Path, name: str, *, fresh: bool = True) -> Row:
    """Return the row that fetches everything into an empty store, or finds nothing new."""
    store = config.parent / "archive" / "t" / ".dce-media"
    argv = (*_PLAY, "media", "fetch", "t", "--config", str(config))
    os.environ["HOME"] = str(folder)
    return Row(name, argv, (lambda: shutil.rmtree(store, ignore_errors=True)) if fresh else (lambda: None))


def peer_rows(folder: Path, urls: list[str]) -> list[Row]:
    """Return the rows that fetch the same into a folder with four connections, of those peers that are installed."""
    listed, into = folder / "urls.txt", folder / "peer"
    listed.write_text("\n".join(urls))
    known = {
        "aria2c -j4": ("aria2c", "-q", "-j4", "-x1", "--file-allocation=none", "-i", str(listed), "-d", str(into)),
        "wget2 --max-threads=4": ("wget2", "-q", "--max-threads=4", "-i", str(listed), "-P", str(into)),
        "curl -Z --parallel-max 4": (
            *(
                "curl",
                "-s",
                "-Z",
                "--parallel-max",
                "4",
                "--remote-name-all",
                "--create-dirs",
                "--output-dir",
                str(into),
            ),
            *("--config", str(_curl_list(folder, urls))),
        ),
    }

    def empty() -> None:
        shutil.rmtree(into, ignore_errors=True)

    return [Row(name, argv, empty) for name, argv in known.items() if shutil.which(argv[0])]


def _curl_list(folder: Path, urls: list[str]) -> Path:
    listed = folder / "urls.curl"
    listed.write_text("".join(f'url = "{url}"\n' for url in urls))
    return listed


def compare(folder: Path, port: int, *, files: int, kib: int, rounds: int) -> None:
    """Print one table: so many files of so many KiB."""
    folder.mkdir()
    urls = [f"http://127.0.0.1:{port}/{kib}/{number}.bin" for number in range(files)]
    config = target(folder, port, urls, kib * 1024)
    ours, peers = fetch_row(folder, config, "dce-play media fetch"), peer_rows(folder, urls)
    for _ in range(rounds):
        for row in (ours, *peers):
            row.measure()
    print(f"\n{files} files of {kib} KiB, medians of {rounds} rounds side by side")
    for row in (ours, *peers):
        wall, cpu = statistics.median(row.walls), statistics.median(row.cpus)
        speed = statistics.median(row.walls) / statistics.median(ours.walls)
        told = f"{wall:8.2f} s  {files * kib / 1024 / wall:6.0f} MiB/s  cpu {cpu:6.2f} s  {row.rss_mb:5.0f} MiB"
        print(f"{row.name:26} {told}" + ("" if row is ours else f"  ours at {speed:.2f} of its speed (asked: 0.7)"))


def nothing_new(folder: Path, port: int, *, lines: int, rounds: int) -> None:
    """Print what a run costs that finds nothing new, with a ledger of so many lines and with an empty one."""
    rows = []
    for name, count in (("big", lines), ("empty", 0)):
        place = folder / name
        place.mkdir(parents=True)
        config = target(place, port, [], 0)
        store = config.parent / "archive" / "t" / ".dce-media"
        store.mkdir()
        with (store / "media.jsonl").open("w") as ledger:
            ledger.writelines(map(_gone, range(count)))
        row = fetch_row(place, config, name, fresh=False)
        row.measure()
        if count:
            first = f"{row.walls[0]:.1f} s, {row.rss_mb:.0f} MiB"
            print(f"\na ledger of {count} lines: the first run makes the index in {first}")
        row.walls.clear()
        rows.append(row)
    for _ in range(rounds * 3):
        for row in rows:
            row.measure()
    big, empty = (statistics.median(row.walls) * 1000 for row in rows)
    more = f"{big - empty:.0f} ms more (asked: 50)"
    print(f"a run with nothing new: {big:.0f} ms, with an empty ledger {empty:.0f} ms; {more}")


def _gone(number: int) -> str:
    url = f"https://cdn.discordapp.com/attachments/{_CHANNEL}/{number}/x.png"
    return (
        f'{{"v":1,"url":"{url}","sha256":null,"size":null,"content_type":null,"name":"x.png","message_id":"{number}",'
        f'"channel_id":"{_CHANNEL}","kind":"attachment","fetched_at":"2026-01-01T00:00:00+00:00","state":"gone"}}\n'
    )


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--files", type=int, default=10_000)
    parser.add_argument("--kib", type=int, default=100)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--big", default="1024,65536,1048576", help="KiB of single files, for the memory curve")
    parser.add_argument("--lines", type=int, default=1_000_000)
    words = parser.parse_args()
    server = subprocess.Popen((sys.executable, "-m", "benchmarks.file_server"), stdout=subprocess.PIPE, text=True)
    try:
        assert server.stdout is not None
        port = int(server.stdout.readline())
        with tempfile.TemporaryDirectory() as name:
            folder = Path(name)
            compare(folder / "many", port, files=words.files, kib=words.kib, rounds=words.rounds)
            shutil.rmtree(folder / "many")
            for kib in map(int, filter(None, words.big.split(","))):
                compare(folder / f"big{kib}", port, files=1, kib=kib, rounds=1)
                shutil.rmtree(folder / f"big{kib}")
            nothing_new(folder / "ledger", port, lines=words.lines, rounds=words.rounds)
    finally:
        server.kill()
        server.wait()


if __name__ == "__main__":
    main()
