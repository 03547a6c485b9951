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
from typing import Any

import httpx2
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


@dataclass(frozen=True, kw_only=True)
class OpenBao:
    """A running OpenBao with raft storage: initialised, unsealed, active. ``limited`` may read snapshots only."""

    port: int
    unseal: str
    root: str
    limited: str
    nobody: str
    """A good token that may do nothing."""

    @property
    def address(self) -> str:
        """Return its URL."""
        return f"http://127.0.0.1:{self.port}"


def vault_call(address: str, token: str, method: str, path: str, body: object = None) -> Any:
    """Call the API of a server of the tests' own; a refusal is an error."""
    answer = httpx2.request(
        method, f"{address}/v1/{path}", json=body, headers={"X-Vault-Token": token}, timeout=60, trust_env=False
    )
    assert answer.status_code < 300, (path, answer.status_code, answer.text)
    return answer.json() if answer.content else None


@contextmanager
def openbao(folder: Path, *, storage: str = "raft") -> Iterator[OpenBao]:
    """Run OpenBao; initialising raft and electing its first leader takes about 9 s."""
    bao = engine_program("bao")
    port, cluster_port = free_ports(2)
    (folder / "data").mkdir()
    place = f'path = "{folder}/data"\n  node_id = "one"\n  performance_multiplier = 1' if storage == "raft" else ""
    (folder / "bao.hcl").write_text(
        f'storage "{storage}" {{\n  {place}\n}}\n'
        f'listener "tcp" {{\n  address = "127.0.0.1:{port}"\n  tls_disable = true\n}}\n'
        f'api_addr = "http://127.0.0.1:{port}"\ncluster_addr = "http://127.0.0.1:{cluster_port}"\n'
        "disable_mlock = true\n",
        encoding="utf-8",
    )
    address = f"http://127.0.0.1:{port}"

    def up(path: str, statuses: set[int]) -> bool:
        try:
            return httpx2.get(f"{address}/v1/{path}", timeout=5, trust_env=False).status_code in statuses
        except httpx2.TransportError:
            return False

    with server([bao, "server", f"-config={folder}/bao.hcl"], folder):
        wait_until(lambda: up("sys/health", {200, 429, 501, 503}), "OpenBao did not start")
        made = vault_call(address, "", "PUT", "sys/init", {"secret_shares": 1, "secret_threshold": 1})
        unseal, root = made["keys_base64"][0], made["root_token"]
        vault_call(address, "", "PUT", "sys/unseal", {"key": unseal})
        wait_until(lambda: up("sys/health", {200}), "OpenBao did not become active")
        policy = 'path "sys/storage/raft/snapshot" { capabilities = ["read"] }'
        vault_call(address, root, "PUT", "sys/policies/acl/backup", {"policy": policy})
        limited = vault_call(address, root, "POST", "auth/token/create", {"policies": ["backup"]})
        nobody = vault_call(address, root, "POST", "auth/token/create", {"policies": ["default"]})
        yield OpenBao(
            port=port,
            unseal=unseal,
            root=root,
            limited=limited["auth"]["client_token"],
            nobody=nobody["auth"]["client_token"],
        )
