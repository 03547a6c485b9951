"""Classes A and B against the engines' own programs and gzip: the same server, the same data, whole commands.

Run as ``python -m benchmarks.backup.bench_databases postgres|redis|memory [--mb 200] [--rounds 5]``. A busy machine
hits all rows of a round alike.
"""

import argparse
import json
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pyrage

from benchmarks.rounds import Row, run_rounds
from tests.support.postgres_server import postgres_server, programs
from tests.support.processes import peak_mib
from tests.support.redis_server import redis_server

_ROWS_PER_MB = 7500
_KEYS_PER_MB = 5000


def dce(folder: Path, verb: str, *words: str) -> tuple[str, ...]:
    """Return the argv of one backup command on the modules in a folder."""
    modules = ("--modules", str(folder / "backup.yml"), "--format", "json")
    return (sys.executable, "-m", "dce_play", "backup", verb, *words, *modules)


def define(folder: Path, *modules: dict[str, object]) -> None:
    """Write the modules file."""
    root = str(folder / "root")
    (folder / "backup.yml").write_text(json.dumps({"version": 1, "backup_root": root, "modules": list(modules)}))


def piped(line: str, folder: Path) -> tuple[str, ...]:
    """Return the argv of a pipe, whose output goes into a file."""
    return ("bash", "-o", "pipefail", "-c", f"{line} > {folder}/own.out")


def empty(folder: Path) -> None:
    """Remove the backups of the round before."""
    shutil.rmtree(folder / "root", ignore_errors=True)


@contextmanager
def place() -> Iterator[Path]:
    """Give a folder that an unprivileged user can reach."""
    with tempfile.TemporaryDirectory(prefix="dce-bench-", dir="/tmp") as name:
        Path(name).chmod(0o755)
        yield Path(name)


def postgres(megabytes: int, rounds: int) -> None:
    """Dump, check and drill one cluster."""
    with place() as folder, postgres_server() as server:
        for number in range(4):
            server.sql(f"CREATE DATABASE d{number}")
            rows = megabytes * _ROWS_PER_MB // 4
            server.sql(
                # the number is ours
                "CREATE TABLE t AS SELECT g AS id, md5(g::text) AS a, md5((g * 7)::text) AS b, now() AS c,"  # noqa: S608
                f" (random() * 1000)::int AS d FROM generate_series(1, {rows}) g",
                database=f"d{number}",
            )
        keys = {"socket": str(server.folder), "user": "boss"}
        define(
            folder,
            {"name": "postgres", "postgres": keys},
            {"name": "zstd-postgres", "compression": "zstd", "postgres": keys},
            {"name": "custom-postgres", "postgres": {**keys, "format": "custom"}},
        )
        address = f"-h {server.folder} -U boss"
        own = programs()
        dumps = " && ".join(f"{own}/pg_dump {address} -Fc d{number} > {folder}/d{number}.dump" for number in range(4))
        size = int(subprocess.check_output(["bash", "-c", f"{own}/pg_dumpall {address} | wc -c"]))

        def clean() -> None:
            empty(folder)

        allowed = ("--allow-unattended",)
        run_rounds(
            [
                Row("own", piped(f"{own}/pg_dumpall {address} | gzip -6", folder)),
                Row("run, level 2, gzip or pigz", dce(folder, "run", "postgres", *allowed), clean),
                Row("run, level 2, zstd", dce(folder, "run", "zstd-postgres", *allowed), clean),
                Row("own custom", ("bash", "-c", dumps)),
                Row("run, level 2, custom", dce(folder, "run", "custom-postgres", *allowed), clean),
            ],
            repeat=rounds, size_bytes=size, base="own",
        )  # fmt: skip


def memory(megabytes: int) -> None:
    """Print the greatest memory of class A for 1 MB, 100 MB and more: plain, and encrypted."""
    recipient = str(pyrage.x25519.Identity.generate().to_public())
    for size in (1, 100, megabytes):
        with place() as folder, postgres_server() as server:
            rows = "SELECT repeat(md5(g::text), 32768) AS a"  # a mebibyte in the dump, a few kilobytes on the disk
            server.sql("CREATE TABLE t (a text)")
            for first in range(1, size + 1, 128):
                server.sql(f"INSERT INTO t {rows} FROM generate_series({first}, {min(size, first + 127)}) g")
            keys = {"postgres": {"socket": str(server.folder), "user": "boss"}, "compression": "none"}
            for name, encrypt in (("plain", {}), ("age", {"age": [recipient]})):
                empty(folder)
                define(folder, {"name": "postgres", "encrypt": encrypt, **keys})
                peak = peak_mib(dce(folder, "run", "postgres", "--allow-unattended"))
                print(f"A, {size} MB, {name}: {peak} MiB", flush=True)


def redis(megabytes: int, rounds: int) -> None:
    """Save and send one server's keys."""
    with place() as folder, redis_server() as server:
        script = (
            "for i = 1, tonumber(ARGV[1]) do redis.call('SET', 'key:' .. i,"
            " redis.sha1hex(i) .. redis.sha1hex(i * 7) .. redis.sha1hex(i * 3) .. redis.sha1hex(i * 5)) end"
        )
        server.cli("EVAL", script, "0", str(megabytes * _KEYS_PER_MB))
        define(
            folder,
            {"name": "redis", "redis": {"socket": str(server.socket), "data_folder": str(server.folder)}},
            {"name": "sent-redis", "redis": {"socket": str(server.socket)}},
        )
        server.cli("SAVE")
        size = (server.folder / "dump.rdb").stat().st_size

        def clean() -> None:
            empty(folder)

        allowed = ("--allow-unattended",)
        run_rounds(
            [
                Row("own", piped(f"redis-cli -s {server.socket} --rdb - | gzip -6", folder)),
                Row("run, level 2, data folder", dce(folder, "run", "redis", *allowed), clean),
                Row("run, level 2, sent", dce(folder, "run", "sent-redis", *allowed), clean),
            ],
            repeat=rounds, size_bytes=size, base="own",
        )  # fmt: skip


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("engine", choices=("postgres", "redis", "memory"))
    parser.add_argument("--mb", type=int, default=200, help="about how much the stream has")
    parser.add_argument("--rounds", type=int, default=5)
    chosen = parser.parse_args()
    if chosen.engine == "memory":
        memory(chosen.mb)
        return
    {"postgres": postgres, "redis": redis}[chosen.engine](chosen.mb, chosen.rounds)


if __name__ == "__main__":
    main()
