"""Class E, its encryption, its verification and the list of backups, against tar and gzip on the same files.

Run as ``python -m benchmarks.backup.bench_files small|large|list|memory [--rounds 5] [--mb 200]``: ``small`` is files
of 2 KiB, ``large`` files of up to 500 MiB. A busy machine hits all rows of a round alike: trust the ratios.
"""

import argparse
import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

import pyrage

from benchmarks.backup.bench_databases import dce, define, empty, piped
from benchmarks.rounds import Row, run_rounds
from dce_play.backup.manifest import decode_manifest, encode_manifest
from tests.support.processes import peak_mib

_RUN = ("--allow-unattended",)
_LINE = b"a line that is there again and again\n"


def filled(folder: Path, count: int, size_bytes: int) -> None:
    """Make so many files, a thousand a folder; half of each is noise, so that it compresses as data do."""
    for number in range(count):
        path = folder / f"{number // 1000:03}" / f"{number:06}"
        path.parent.mkdir(parents=True, exist_ok=True)
        with path.open("wb") as file:
            left = size_bytes
            while left:
                step = min(left, 8 << 20)
                file.write(os.urandom(step // 2) + (_LINE * (step // len(_LINE)))[: step - step // 2])
                left -= step


def files(folder: Path, count: int, size_bytes: int, rounds: int) -> None:
    """Archive so many files of one size; then the same, encrypted; then read it again."""
    data = folder / "data"
    filled(data, count, size_bytes)
    size = sum(path.stat().st_size for path in data.rglob("*") if path.is_file())
    common = {"files": {"paths": [str(data)]}, "health": {"none": True}, "container_engine": "none"}
    recipient = str(pyrage.x25519.Identity.generate().to_public())
    define(
        folder,
        {"name": "plain", **common},
        {"name": "zstd", "compression": "zstd", **common},
        {"name": "age", "encrypt": {"age": [recipient]}, **common},
    )
    own = f"tar --xattrs --acls --numeric-owner -C / -c {str(data)[1:]} | gzip -6"

    def clean() -> None:
        empty(folder)

    rows = [
        Row("tar, gzip -6", piped(own, folder)),
        Row("run, level 2", dce(folder, "run", "plain", *_RUN), clean),
        Row("run, level 2, age", dce(folder, "run", "age", *_RUN), clean),
        Row("run, level 1", dce(folder, "run", "plain", "--level", "1", *_RUN), clean),
        Row("run, level 2, zstd", dce(folder, "run", "zstd", *_RUN), clean),
    ]
    run_rounds(rows, repeat=rounds, size_bytes=size, base=rows[0].name)
    clean()
    subprocess.run(dce(folder, "run", "plain", *_RUN), check=True, stdout=subprocess.DEVNULL)
    (stored,) = (folder / "root").glob("plain-*.tar.gz")
    read = f"gzip -t {stored} && gzip -dc {stored} | tar -t"
    rows = [
        Row("gzip -t, tar -t", ("bash", "-o", "pipefail", "-c", read)),
        Row("verify, level 2", dce(folder, "verify", stored.name, "--no-record")),
    ]
    run_rounds(rows, repeat=rounds, size_bytes=size, base=rows[0].name)
    print(f"stored {stored.stat().st_size} bytes; written to disk {written(folder)} of what is stored")


def written(folder: Path) -> str:
    """Return how much a run writes to disk, as a share of what it stores; without compression by another program."""
    empty(folder)
    calls = "-etrace=write,pwrite64,writev"
    argv = ("strace", "-ff", "-qq", "-y", "-o", str(folder / "trace"), calls, *dce(folder, "run", "plain", *_RUN))
    subprocess.run(argv, check=True, stdout=subprocess.DEVNULL)
    total = 0
    for trace in folder.glob("trace.*"):  # one a thread: no call is told in two halves
        with trace.open(encoding="utf-8", errors="replace") as lines:
            for line in lines:
                if f"<{folder}/root" in line and " = " in line:
                    total += int(line.rpartition(" = ")[2].split()[0])
        trace.unlink()
    (stored,) = (folder / "root").glob("plain-*.tar.gz")
    return f"{total / stored.stat().st_size:.4f}"


def listing(folder: Path, rounds: int) -> None:
    """List a thousand backups."""
    (folder / "data").mkdir()
    (folder / "data" / "file").write_text("x")
    module = {"name": "m", "files": {"paths": [str(folder / "data")]}, "container_engine": "none"}
    define(folder, {**module, "health": {"none": True}})
    subprocess.run(dce(folder, "run", "m", *_RUN), check=True, stdout=subprocess.DEVNULL)
    (first,) = (folder / "root").glob("m-*.tar.gz")
    manifest = first.with_name(f"{first.name}.manifest.json")
    text = manifest.read_bytes()
    decode_manifest(text, name=manifest.name)
    for number in range(999):
        name = f"m-20200101T{number // 60:02}{number % 60:02}00Z.tar.gz"
        shutil.copy(first, first.with_name(name))
        found = decode_manifest(text.replace(first.name.encode(), name.encode()), name=manifest.name)
        first.with_name(f"{name}.manifest.json").write_bytes(encode_manifest(found))
        first.with_name(f"{name}.manifest.json").chmod(0o600)
    rows = [
        Row("python -c pass", (sys.executable, "-c", "pass")),
        Row("list of 1,000", dce(folder, "list")),
        Row("backup --help", (sys.executable, "-m", "dce_play", "backup", "--help")),
    ]
    run_rounds(rows, repeat=rounds, size_bytes=1, base=rows[0].name)


def memory(folder: Path, megabytes: int) -> None:
    """Print the greatest memory for 1 MB, 100 MB and more: plain, and encrypted."""
    recipient = str(pyrage.x25519.Identity.generate().to_public())
    for size in (1, 100, megabytes):
        data = folder / f"data-{size}"
        data.mkdir()
        with (data / "file").open("wb") as file:
            for _ in range(size):
                file.write(os.urandom(1 << 20))
        for name, encrypt in (("plain", {}), ("age", {"age": [recipient]})):
            place = folder / f"{size}-{name}"
            place.mkdir()
            keys = {"files": {"paths": [str(data)]}, "health": {"none": True}, "container_engine": "none"}
            define(place, {"name": "m", "compression": "none", "encrypt": encrypt, **keys})
            print(f"E, {size} MB, {name}: {peak_mib(dce(place, 'run', 'm', *_RUN))} MiB", flush=True)
            shutil.rmtree(place)
        shutil.rmtree(data)


def main() -> None:
    """Run one benchmark."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("what", choices=("small", "large", "list", "memory"))
    parser.add_argument("--mb", type=int, default=200)
    parser.add_argument("--rounds", type=int, default=5)
    given = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="dce-bench-", dir="/tmp") as name:
        folder = Path(name)
        match given.what:
            case "small":
                files(folder, given.mb << 9, 2048, given.rounds)
            case "large":
                files(folder, max(1, given.mb // 500), min(given.mb, 500) << 20, given.rounds)
            case "list":
                listing(folder, given.rounds)
            case _:
                memory(folder, given.mb)


if __name__ == "__main__":
    main()
