"""The receiver beside 100,000 episodes: its start, and a PUT."""

import http.client
import os
import statistics
import tempfile
import time
from pathlib import Path

import msgspec

from dce_play.transfer.receiving.folders import StoreFolders
from dce_play.transfer.wire import Receipt, encode_receipt, row_of
from tests.support.real_receiver import real_receiver
from tests.support.receiver import archive, offer_headers


def fill_store(root: Path, count: int) -> None:
    """Write a store of so many episodes of one byte, with their receipts and rows."""
    folders = StoreFolders(root)
    folders.store.mkdir(parents=True, exist_ok=True)
    with folders.index.open("ab") as index:
        for number in range(count):
            receipt = Receipt(
                v=1,
                id=f"stored-{number:06}",
                host_id=f"lab-{number % 40}",
                size=1,
                sha256=f"{number:064x}",
                manifest_digest=f"sha256:{number:064x}",
                commit="a1" * 20,
                files=2,
                bytes=20480,
                stored_at="2026-11-20T10:00:00Z",
                receiver="hub",
            )
            folders.archive(receipt.id).write_bytes(b"x")
            folders.receipt(receipt.id).write_bytes(encode_receipt(receipt))
            index.write(msgspec.json.encode(row_of(receipt, source="put")) + b"\n")
    os.sync()


def measure_start(count: int, *, rounds: int) -> None:
    """Print how long a receiver takes from its start to READY=1, with an empty store and with so many episodes."""
    for stored in (0, count):
        with tempfile.TemporaryDirectory() as name:
            receiver = real_receiver(Path(name) / "receiver")
            if stored:
                fill_store(receiver.store, stored)
            times = []
            for _ in range(rounds):
                began = time.perf_counter()
                with receiver.running():
                    times.append(time.perf_counter() - began)
        print(f"start of the receiver with {stored:,} stored: {min(times):.2f} s", flush=True)


def measure_put_beside(count: int, *, puts: int) -> None:
    """Print the median PUT of a small episode, into an empty store and beside so many rows, in turns."""
    with tempfile.TemporaryDirectory() as name:
        full, empty = (real_receiver(Path(name) / each) for each in ("full", "empty"))
        fill_store(full.store, count)
        with full.running(), empty.running():
            tokens = {each.port: each.token() for each in (full, empty)}
            times: dict[int, list[float]] = {full.port: [], empty.port: []}
            for number in range(puts):
                data = archive(f"put-{number}", files={"a": os.urandom(20 << 10)})
                for port, taken in times.items():
                    taken.append(_put(port, f"put-{number}", data, tokens[port]))
    medians = {port: statistics.median(taken) for port, taken in times.items()}
    ratio = medians[full.port] / medians[empty.port]
    print(
        f"PUT of 20 KiB: {1000 * medians[empty.port]:.1f} ms with an empty index,"
        f" {1000 * medians[full.port]:.1f} ms beside {count:,} rows, {ratio:.2f} x",
        flush=True,
    )


def _put(port: int, name: str, data: bytes, token: str) -> float:
    connection = http.client.HTTPConnection("127.0.0.1", port)
    headers = {**offer_headers(data), "Authorization": f"Bearer {token}"}
    began = time.perf_counter()
    connection.request("PUT", f"/v1/episodes/{name}", data, headers)
    status = connection.getresponse().status
    taken = time.perf_counter() - began
    connection.close()
    if status != 201:
        raise SystemExit(f"PUT: {status}")
    return taken
