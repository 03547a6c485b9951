"""The receiver itself, as its own process on loopback, with throw-away certificates."""

import os
import re
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

import trustme

from tests.support import forked

HOST = "lab-1"
_START_S = 240.0
"""The longest that a start may take where many programs share the machine."""
_ROOT = str(Path(__file__).parents[2])


@dataclass(slots=True, kw_only=True)
class Certificates:
    """A CA, and files of the receiver's and of a lab host's certificate."""

    folder: Path
    ca: trustme.CA = field(default_factory=trustme.CA)

    def write(self, name: str, *hosts: str, ca: trustme.CA | None = None, not_after: datetime | None = None) -> Path:
        """Write ``<name>.pem`` and ``<name>.key``; return the certificate's path."""
        made = (ca or self.ca).issue_cert(*hosts, not_after=not_after)
        path = self.folder / f"{name}.pem"
        key = path.with_suffix(".key")
        key.write_bytes(made.private_key_pem.bytes())
        key.chmod(0o600)
        path.write_bytes(b"".join(blob.bytes() for blob in made.cert_chain_pems))
        return path

    def write_ca(self, name: str = "ca", ca: trustme.CA | None = None) -> Path:
        path = self.folder / f"{name}.pem"
        path.write_bytes((ca or self.ca).cert_pem.bytes())
        return path

    def expired(self, name: str, *hosts: str) -> Path:
        """Write a certificate that has ended."""
        return self.write(name, *hosts, not_after=datetime(2021, 1, 1, tzinfo=UTC))


@dataclass(slots=True, kw_only=True)
class Receiver:
    """A receiver's folder and address."""

    folder: Path
    port: int
    tls: Certificates | None = None

    @property
    def url(self) -> str:
        return f"{'https' if self.tls else 'http'}://localhost:{self.port}"

    @property
    def config(self) -> Path:
        return self.folder / "receive.toml"

    @property
    def store(self) -> Path:
        return self.folder / "store"

    def stored(self) -> list[str]:
        return sorted(path.name.removesuffix(".tar.zst") for path in (self.store / "store").glob("*.tar.zst"))

    def index_ids(self) -> list[str]:
        path = self.store / "index.jsonl"
        return re.findall(r'"id": ?"([^"]+)"', path.read_text()) if path.exists() else []

    def run(self, *words: str) -> "subprocess.CompletedProcess[str]":
        """Run ``dce-play receive …`` to its end."""
        return forked.run(
            [sys.executable, "-m", "dce_play", "receive", *words, "--config", str(self.config)],
            env=self.environment(),
            capture_output=True,
            text=True,
            timeout=60,
        )

    def environment(self, **more: str) -> dict[str, str]:
        return {"PATH": os.environ["PATH"], "PYTHONPATH": _ROOT, "HOME": str(self.folder), "LANG": "C.UTF-8", **more}

    def token(self, host: str = HOST) -> str:
        """Make a token for a host, and return it."""
        made = self.run("token", "add", host)
        found = re.search(r"dcp_\w+", made.stdout)
        assert found is not None, made.stderr
        return found[0]

    def _await_ready(self, manager: socket.socket, process: "subprocess.Popen[bytes]") -> None:
        """Wait until it serves: as long as it lives, on a busy machine too."""
        deadline = time.monotonic() + _START_S
        while True:
            with suppress(TimeoutError):
                if b"READY=1" in manager.recv(4096):
                    return
            assert process.poll() is None, (self.folder / "receiver.log").read_text()
            assert time.monotonic() < deadline, "the receiver is not ready"

    @contextmanager
    def running(self) -> Iterator["subprocess.Popen[bytes]"]:
        """Serve while the block runs."""
        address = str(self.folder / "notify")
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as manager:
            manager.bind(address)
            manager.settimeout(1)
            log = (self.folder / "receiver.log").open("ab")
            process = forked.start(
                [sys.executable, "-m", "dce_play", "receive", "run", "--config", str(self.config)],
                env=self.environment(NOTIFY_SOCKET=address),
                stdout=log,
                stderr=log,
            )
            log.close()
            try:
                self._await_ready(manager, process)
                manager.setblocking(False)
                yield process
            finally:
                process.kill()
                process.wait(10)
                Path(address).unlink()


def real_receiver(
    folder: Path, *, tls: Certificates | None = None, more: str = "", gate: str = "enabled = false"
) -> Receiver:
    """Return a receiver whose configuration is written."""
    folder.mkdir(parents=True, exist_ok=True)
    with socket.create_server(("127.0.0.1", 0)) as probe:
        port = probe.getsockname()[1]
    receiver = Receiver(folder=folder, port=port, tls=tls)
    lines = [f'store_dir = "{receiver.store}"', f'bind = "127.0.0.1:{port}"', 'admin_bind = ""', more]
    receiver.store.mkdir(exist_ok=True)
    if tls is not None:
        cert = tls.write("server", "localhost")
        lines += ["[tls]", f'cert = "{cert}"', f'key = "{cert.with_suffix(".key")}"', f'client_ca = "{tls.write_ca()}"']
    lines += ["[limits]", "min_free = 0", "[version_gate]", gate]
    receiver.config.write_text("\n".join(lines) + "\n")
    return receiver
