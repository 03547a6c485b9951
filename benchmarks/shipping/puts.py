"""The receiver alone: one curl puts a packed episode, to us and to a server that only writes and fsyncs."""

import hashlib
import os
import subprocess
import time
from base64 import b64encode
from pathlib import Path

from benchmarks.shipping.stand import Stand, large_episode
from tests.support.lab_hosts import lab_host


def packed_episode(stand: Stand, mebibytes: int) -> Path:
    """Return the archive of one episode, as tar and zstd make it."""
    folder = stand.folder / f"packed-{mebibytes}"
    folder.mkdir()
    host = lab_host(folder, stand.receiver.url)
    large_episode(host, mebibytes, name="large")
    archive = folder / "large.tar.zst"
    line = 'tar --sort=name --owner=0 --group=0 --numeric-owner -cf - large | zstd -q -3 -T0 -o "$1"'
    subprocess.run(["bash", "-c", line, "bash", str(archive)], cwd=host.data / "episodes", check=True)
    return archive


def put(stand: Stand, archive: Path, name: str, *, port: int, token: str) -> float:
    """Put an archive with curl; return how long it took."""
    digest = b64encode(hashlib.sha256(archive.read_bytes()).digest()).decode()
    tls = stand.receiver.folder
    argv = ["curl", "-sS", "--fail", "-o", os.devnull, "-T", str(archive)]
    argv += ["--cacert", f"{tls}/ca.pem", "--cert", f"{tls}/lab.pem", "--key", f"{tls}/lab.key"]
    argv += ["-H", f"Authorization: Bearer {token}", "-H", "Content-Type: application/zstd"]
    argv += ["-H", f"Repr-Digest: sha-256=:{digest}:"]
    os.sync()
    began = time.perf_counter()
    subprocess.run([*argv, f"https://localhost:{port}/v1/episodes/{name}"], check=True)
    return time.perf_counter() - began


def measure_put(stand: Stand, *, mebibytes: int, rounds: int) -> None:
    """Print both times and their ratio."""
    archive = packed_episode(stand, mebibytes)
    best = {"plain": 1e9, "ours": 1e9}
    for _ in range(rounds):
        for name, port in (("plain", stand.plain_port), ("ours", stand.receiver.port)):
            best[name] = min(best[name], put(stand, archive, "large", port=port, token=stand.token))
        stand.forget_stored()
    stand.tell(
        f"PUT of an episode of {mebibytes} MiB by curl", "the plain server", best["plain"], "the receiver", best["ours"]
    )
