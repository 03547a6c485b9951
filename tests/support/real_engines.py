"""Real servers of the extra ``test-engines``, each a throw-away instance on loopback.

A missing one is a loud skip on a developer's machine and a failure where ``CI`` is true.
"""

import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from dce_play.system.s3.bucket import Bucket
from dce_play.system.s3.errors import S3Error
from dce_play.system.s3.place import S3Place

PATIENCE_S = 60.0


def engine_program(name: str) -> str:
    """Return the path of an engine's program, from the environment that runs the tests; skip without it."""
    found = Path(sys.executable).parent / name
    if not found.exists():
        told = f"{name} is missing: pip install 'dce-play[test-engines]'"
        if os.environ.get("CI") == "true":
            pytest.fail(told)
        pytest.skip(told)
    return str(found)


def free_ports(count: int) -> list[int]:
    """Return ports that the kernel gave and that nobody listens on now."""
    sockets = [socket.create_server(("127.0.0.1", 0)) for _ in range(count)]
    ports = [each.getsockname()[1] for each in sockets]
    for each in sockets:
        each.close()
    return ports


def wait_until(ready: Callable[[], bool], what: str) -> None:
    """Wait until a server is ready, or fail."""
    ends_at = time.monotonic() + PATIENCE_S
    while not ready():
        assert time.monotonic() < ends_at, what
        time.sleep(0.1)


@contextmanager
def server(argv: list[str], folder: Path) -> Iterator["subprocess.Popen[bytes]"]:
    """Run a server while the block runs; what it says goes to ``log`` in its folder."""
    with (folder / "log").open("wb") as log:
        process = subprocess.Popen(argv, stdout=log, stderr=log, stdin=subprocess.DEVNULL, start_new_session=True)
    try:
        yield process
    finally:
        with suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait(timeout=PATIENCE_S)


@dataclass(frozen=True, kw_only=True)
class SeaweedFS:
    """A running SeaweedFS with an S3 gateway. Each key pair is ``(access, secret)``."""

    port: int
    admin: tuple[str, str] = ("ADMINKEY", "admin-secret-0123")
    reader: tuple[str, str] = ("READKEY", "reader-secret-0123")
    lister: tuple[str, str] = ("LISTKEY", "lister-secret-0123")
    buckets: list[str] = field(default_factory=list)

    def place(self, bucket: str, key: tuple[str, str] | None = None, *, port: int | None = None) -> S3Place:
        """Return a place in this server, or behind a proxy's port."""
        access, secret = key or self.admin
        return S3Place(
            endpoint=f"http://127.0.0.1:{port or self.port}", bucket=bucket, access_key=access, secret_key=secret
        )

    def new_bucket(self) -> Bucket:
        """Make an empty bucket of its own."""
        name = f"bucket-{len(self.buckets)}"
        self.buckets.append(name)
        bucket = Bucket(self.place(name))
        bucket._client.create_bucket(Bucket=name)
        return bucket


@contextmanager
def seaweedfs(folder: Path) -> Iterator[SeaweedFS]:
    """Run SeaweedFS; up in about 6 s."""
    weed = engine_program("weed")
    ports = free_ports(8)
    running = SeaweedFS(port=ports[0])
    identities = [
        {"name": name, "credentials": [{"accessKey": pair[0], "secretKey": pair[1]}], "actions": actions}
        for name, pair, actions in (
            ("admin", running.admin, ["Admin", "Read", "Write", "List"]),
            ("reader", running.reader, ["Read", "List"]),
            ("lister", running.lister, ["List"]),
        )
    ]
    (folder / "s3.json").write_text(json.dumps({"identities": identities}), encoding="utf-8")
    (folder / "data").mkdir()
    named = ("s3", "master", "volume", "filer")
    options = [f"-{name}.port={port}" for name, port in zip(named, ports[:4], strict=True)]
    options += [f"-{name}.port.grpc={port}" for name, port in zip(named, ports[4:], strict=True)]
    argv = [
        weed, "server", f"-dir={folder / 'data'}", "-ip=127.0.0.1", "-ip.bind=127.0.0.1", "-s3",
        f"-s3.config={folder / 's3.json'}", "-master.volumeSizeLimitMB=64", "-s3.port.iceberg=0",
        "-s3.port.lance=0", "-volume.max=2000", *options,
    ]  # fmt: skip

    def up() -> bool:
        try:
            Bucket(running.place("ready"))._client.create_bucket(Bucket="ready")
        except S3Error:
            return False
        except Exception as error:  # noqa: BLE001  # not ready yet, in one of many ways
            return "BucketAlreadyOwnedByYou" in str(error) or "BucketAlreadyExists" in str(error)
        return True

    with server(argv, folder):
        wait_until(up, "SeaweedFS did not come up")
        yield running
