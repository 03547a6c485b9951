"""Classes C and D against the stores' own tools, and the memory of D: the same server, the same data, whole commands.

Run as ``python -m benchmarks.backup.bench_stores vault|small|large|memory [--mb 100] [--rounds 5]``. A busy machine
hits all rows of a round alike. Needs rclone besides the extra ``test-engines``.
"""

import argparse
import os
import tempfile
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pyrage

from benchmarks.backup.bench_databases import dce, define, empty
from benchmarks.rounds import Row, run_rounds
from dce_play.system.s3.bucket import Bucket
from tests.support.processes import peak_mib
from tests.support.real_engines import SeaweedFS, engine_program, openbao, seaweedfs, vault_call

_SMALL_BYTES = 4096
_LARGE_BYTES = 100 << 20
_SECRET_BYTES = 100_000
_RUN = ("--allow-unattended", "--level", "2")


def vault(folder: Path, megabytes: int, rounds: int) -> None:
    """Take snapshots of a server with so many megabytes of secrets."""
    (folder / "bao").mkdir()
    with openbao(folder / "bao") as server:
        vault_call(server.address, server.root, "POST", "sys/mounts/kv", {"type": "kv"})
        for number in range(megabytes * 10):
            value = os.urandom(_SECRET_BYTES // 2).hex()
            vault_call(server.address, server.root, "PUT", f"kv/{number}", {"value": value})
        define(folder, {"name": "vault", "vault": {"address": server.address, "token": f"file:{folder}/token"}})
        (folder / "token").write_text(server.root)
        bao = engine_program("bao")
        own = f"BAO_ADDR={server.address} BAO_TOKEN={server.root} {bao} operator raft snapshot save {folder}/own.snap"
        rows = [
            Row("bao operator raft snapshot save", ("sh", "-c", own)),
            Row("dce-play backup run, level 2", dce(folder, "run", "vault", *_RUN), lambda: empty(folder)),
        ]
        run_rounds(rows, repeat=rounds, size_bytes=megabytes << 20, base=rows[0].name)


def filled(store: SeaweedFS, count: int, size_bytes: int) -> Bucket:
    """Return a new bucket with so many objects of random bytes."""
    bucket = store.new_bucket()

    def put(number: int) -> None:
        key = f"folder-{number % 100:02}/{number:06}"
        bucket.put(key, os.urandom(min(size_bytes, 8 << 20)) * max(1, size_bytes >> 23), only_new=False)

    with ThreadPoolExecutor(8 if size_bytes < 1 << 20 else 1) as pool:
        list(pool.map(put, range(count)))
    return bucket


def module_of(folder: Path, store: SeaweedFS, bucket: Bucket, **more: object) -> dict[str, object]:
    """Return the definition of a bucket; its keys lie in files."""
    (folder / "access").write_text(store.admin[0])
    (folder / "secret").write_text(store.admin[1])
    s3 = {
        "endpoint": f"http://127.0.0.1:{store.port}",
        "bucket": bucket.place.bucket,
        "access_key": f"file:{folder}/access",
        "secret_key": f"file:{folder}/secret",
    }
    return {"name": "minio", "s3": s3, **more}


def mirrored(folder: Path, store: SeaweedFS, bucket: Bucket) -> tuple[str, ...]:
    """Return the argv of rclone into a folder, then tar and gzip."""
    (folder / "rclone.conf").write_text(
        f"[w]\ntype=s3\nprovider=Other\nregion=us-east-1\nendpoint=http://127.0.0.1:{store.port}\n"
        f"access_key_id={store.admin[0]}\nsecret_access_key={store.admin[1]}\n"
    )
    line = (
        f"rm -rf {folder}/out && rclone --config {folder}/rclone.conf copy --transfers 16 w:{bucket.place.bucket} "
        f"{folder}/out && tar -C {folder}/out -c . | gzip -6 > {folder}/own.out"
    )
    return ("env", "-u", "AWS_CA_BUNDLE", "bash", "-o", "pipefail", "-c", line)


def objects(folder: Path, count: int, size_bytes: int, rounds: int) -> None:
    """Archive so many objects of one size."""
    (folder / "weed").mkdir()
    with seaweedfs(folder / "weed") as store:
        bucket = filled(store, count, size_bytes)
        define(folder, module_of(folder, store, bucket))
        rows = [
            Row("rclone copy, tar, gzip -6", mirrored(folder, store, bucket)),
            Row("dce-play backup run, level 2", dce(folder, "run", "minio", *_RUN), lambda: empty(folder)),
        ]
        run_rounds(rows, repeat=rounds, size_bytes=count * size_bytes, base=rows[0].name)


def memory(folder: Path, megabytes: int) -> None:
    """Print the greatest memory for 1 MB and for more, plain and encrypted."""
    (folder / "weed").mkdir()
    recipient = str(pyrage.x25519.Identity.generate().to_public())
    with seaweedfs(folder / "weed") as store:
        for size in (1, 100, megabytes):
            bucket = filled(store, max(1, size // 100), min(size, 100) << 20)
            for name, encrypt in (("plain", {}), ("age", {"age": [recipient]})):
                place = folder / f"{size}-{name}"
                place.mkdir()
                define(place, module_of(place, store, bucket, compression="none", encrypt=encrypt))
                print(f"D, {size} MB, {name}: {peak_mib(dce(place, 'run', 'minio', *_RUN))} MiB", flush=True)


def main() -> None:
    """Run one benchmark."""
    parser = argparse.ArgumentParser()
    parser.add_argument("what", choices=("vault", "small", "large", "memory"))
    parser.add_argument("--mb", type=int, default=100)
    parser.add_argument("--rounds", type=int, default=5)
    given = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="dce-bench-", dir="/tmp") as name:
        folder = Path(name)
        match given.what:
            case "vault":
                vault(folder, given.mb, given.rounds)
            case "small":
                objects(folder, given.mb << 20 >> 12, _SMALL_BYTES, given.rounds)
            case "large":
                objects(folder, max(1, given.mb // 100), _LARGE_BYTES, given.rounds)
            case _:
                memory(folder, given.mb)


if __name__ == "__main__":
    main()
