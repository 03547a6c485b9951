"""Receivers that share a bucket and a database: two against one, and a PUT beside many rows."""

import statistics
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

from benchmarks.shipping.cpu import CpuByName
from tests.support.postgres_server import Postgres, postgres_server
from tests.support.real_engines import SeaweedFS, seaweedfs
from tests.support.receiver import OPEN, Receiver

_CLIENTS = 16
_INFLIGHT = 8
_CONNECTIONS = "max_connections = 100\n"


@dataclass(frozen=True, kw_only=True)
class Shared:
    """A store and a database that run."""

    folder: Path
    seaweed: SeaweedFS
    postgres: Postgres
    cpu: CpuByName

    @contextmanager
    def receivers(self, name: str, count: int, *, delay_ms: float = 0.0, limits: str = "") -> Iterator[list[Receiver]]:
        """Run so many on a bucket and a database of their own, both so far away."""
        bucket = self.seaweed.new_bucket().place.bucket
        self.postgres.sql(f"CREATE DATABASE {name}")
        socket = self.folder / name
        socket.mkdir()
        with ExitStack() as stack:
            port, host = str(self.seaweed.port), str(self.postgres.folder)
            if delay_ms:
                far = (f"--delay-ms={delay_ms}",)
                port = stack.enter_context(relaying(*far, "0", port))
                path = ".s.PGSQL.5432"
                stack.enter_context(relaying(*far, str(socket / path), f"{host}/{path}"))
                host = str(socket)
            config = (
                f'[store]\nkind = "s3"\nbucket = "{bucket}"\nendpoint = "http://127.0.0.1:{port}"\n'
                'access_key = "env:KEY"\nsecret_key = "env:SECRET"\n[index]\nkind = "postgres"\ndsn = "env:DSN"\n'
                f"{OPEN}"
            )
            key, secret = self.seaweed.admin
            secrets = {"KEY": key, "SECRET": secret, "DSN": f"host={host} user=boss dbname={name}"}
            made: list[Receiver] = []
            for number in range(count):
                folder = self.folder / f"{name}-{number}"
                folder.mkdir()
                token = made[0].token if made else ""
                one = Receiver(folder=folder, config=config, environment=secrets, limits=limits, token=token)
                made.append(stack.enter_context(one))
            yield made

    def put(self, name: str, receivers: list[Receiver], *, uploads: int, clients: int) -> tuple[float, int]:
        """Put so many small episodes through a balancer; return the seconds, and how often one was told to wait."""
        with relaying("0", *(str(each.port) for each in receivers)) as port:
            argv = [sys.executable, "-m", "benchmarks.shipping.load", port, receivers[0].token]
            self.cpu.begin()
            argv += [str(clients), str(uploads), name]
            with subprocess.Popen(argv, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as load:
                assert load.stdout is not None
                said = load.stdout.readline().split(maxsplit=2)
                self.cpu.end()
                load.communicate("")
        if len(said) != 2:
            raise SystemExit(f"PUT: {said}")
        return float(said[0]), int(said[1])


@contextmanager
def relaying(*words: str) -> Iterator[str]:
    """Run a relay while the block runs; its address."""
    argv = [sys.executable, "-m", "benchmarks.relay", *words]
    with subprocess.Popen(argv, stdout=subprocess.PIPE, text=True) as process:
        try:
            assert process.stdout is not None
            yield process.stdout.readline().strip()
        finally:
            process.kill()


@contextmanager
def open_shared() -> Iterator[Shared]:
    """Run SeaweedFS and PostgreSQL while the block runs."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        (folder / "seaweed").mkdir()
        with seaweedfs(folder / "seaweed") as seaweed, postgres_server(settings=_CONNECTIONS) as postgres:
            yield Shared(folder=folder, seaweed=seaweed, postgres=postgres, cpu=CpuByName())


def measure_two(*, uploads: int, rounds: int) -> None:
    """Print uploads a second of one and of two receivers, on a near store and on one 20 ms away."""
    limits = f"max_inflight = {_INFLIGHT}\nmax_inflight_per_host = {_INFLIGHT}\n"
    with open_shared() as shared:
        for delay_ms in (0, 20):
            with shared.receivers(f"two_{delay_ms}", 2, delay_ms=delay_ms, limits=limits) as both:
                rates: dict[int, list[float]] = {1: [], 2: []}
                for number in range(rounds):
                    for count, taken in rates.items():
                        what = f"r{number}-of-{count}"
                        seconds, waits = shared.put(what, both[:count], uploads=uploads, clients=_CLIENTS)
                        taken.append(uploads / seconds)
                        print(
                            f"store {delay_ms} ms away, {count} of 2 receivers: {uploads / seconds:.1f} uploads a"
                            f" second, told to wait {waits} times; {shared.cpu.told(uploads, seconds)}",
                            flush=True,
                        )
                one, two = max(rates[1]), max(rates[2])
                print(f"store {delay_ms} ms away: two receivers {two / one:.2f} x of one", flush=True)


_FILL = """
INSERT INTO episodes (id, host_id, size, sha256, manifest_digest, files, bytes, stored_at, source, receiver)
SELECT 'stored-' || n, 'lab-' || n % 40, 1, md5(n::text), md5(n::text), 2, 20480, '2026-11-20T10:00:00Z', 'put', 'hub'
FROM generate_series(1, :rows) n; ANALYZE episodes;
"""


def measure_shared_put_beside(count: int, *, puts: int, rounds: int) -> None:
    """Print the PUT of a small episode with an empty table, and beside so many rows, in turns."""
    with (
        open_shared() as shared,
        shared.receivers("empty_rows", 1) as empty,
        shared.receivers("many_rows", 1) as full,
    ):
        shared.postgres.sql(_FILL.replace(":rows", str(count)), database="many_rows")
        times: dict[str, list[float]] = {"empty": [], "full": []}
        for number in range(rounds):
            for name, one in (("empty", empty), ("full", full)):
                seconds, _ = shared.put(f"r{number}", one, uploads=puts, clients=1)
                times[name].append(1000 * seconds / puts)
    empty_ms, full_ms = (min(times[name]) for name in ("empty", "full"))
    medians = statistics.median(times["full"]) / statistics.median(times["empty"])
    print(
        f"PUT of 20 KiB, S3 and PostgreSQL: {empty_ms:.1f} ms with an empty table, {full_ms:.1f} ms beside {count:,}"
        f" rows, {full_ms / empty_ms:.2f} x, {medians:.2f} x of the medians",
        flush=True,
    )
