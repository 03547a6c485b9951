"""Shipping against the shell: ``ship once`` to the real receiver beside ``tar | zstd``, ``sync``, ``curl -T``.

Run: ``python -m benchmarks.bench_ship [episodes] [mebibytes] [rounds]``. The two take turns; the best of each counts.
The shell's server writes and fsyncs, and verifies nothing.
"""

import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.support.lab_hosts import LabHost, lab_host
from tests.support.real_receiver import HOST, Certificates, Receiver, real_receiver

_SHELL = """
set -e
cd "$1/episodes"
for name in *; do
  tar -cf - "$name" | zstd -q -3 -T0 -o "../outbox/$name.tar.zst"
  sync
  curl -sS --fail --cacert "$2/ca.pem" --cert "$2/lab.pem" --key "$2/lab.key" -T "../outbox/$name.tar.zst" \
    "https://localhost:$3/v1/episodes/$name"
  mv "$name" ../shipped/
done
"""


@contextmanager
def plain_server(folder: Path, certificates: Certificates) -> Iterator[int]:
    """Serve PUTs that are only written and fsynced, while the block runs."""
    cert = certificates.write("plain", "localhost")
    argv = [sys.executable, "-m", "benchmarks.plain_server", str(folder), str(cert), str(cert.with_suffix(".key"))]
    with subprocess.Popen(argv, stdout=subprocess.PIPE, text=True) as process:
        try:
            assert process.stdout is not None
            yield int(process.stdout.readline())
        finally:
            process.kill()


def small(count: int) -> Callable[[LabHost], None]:
    """Return what writes so many episodes of 20 KiB."""

    def write(host: LabHost) -> None:
        for number in range(count):
            host.episode(f"e{number:05}", files={"a.bin": os.urandom(20 << 10)})

    return write


def large(mebibytes: int) -> Callable[[LabHost], None]:
    """Return what writes one episode, half noise and half text."""

    def write(host: LabHost) -> None:
        line = b"2026-11-28T03:15:00Z frame written, nothing lost, nothing doubled\n"
        half = mebibytes << 19
        noise = b"".join(os.urandom(1 << 20) for _ in range(mebibytes // 2))
        host.episode("large", files={"noise.bin": noise, "text.log": (line * (half // len(line) + 1))[:half]})

    return write


def measure(receiver: Receiver, port: int, folder: Path, write: Callable[[LabHost], None], rounds: int) -> None:
    """Let both ship the same, in turns, and print the best of each and their ratio."""
    assert receiver.tls is not None
    best: dict[str, float] = {}
    for round_ in range(rounds):
        for name in ("shell", "ship once"):
            work = folder / f"{round_}-{name.replace(' ', '-')}"
            work.mkdir()
            host = lab_host(work, receiver.url, receiver=_tls(receiver))
            (work / "token").write_text((folder / "token").read_text())
            write(host)
            for each in ("outbox", "shipped"):
                (host.data / each).mkdir(exist_ok=True)
            os.sync()
            argv = ["bash", "-c", _SHELL, "shell", str(host.data), str(receiver.folder), str(port)]
            began = time.perf_counter()
            subprocess.run(
                argv if name == "shell" else host.argv("ship", "once"),
                check=True,
                env=host.environment,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
            )
            best[name] = min(best.get(name, 1e9), time.perf_counter() - began)
            shutil.rmtree(work)
            for path in (receiver.store / "store").iterdir():
                path.unlink()
    ratio = best["ship once"] / best["shell"]
    print(f"  shell {best['shell']:8.2f} s   ship once {best['ship once']:8.2f} s   {ratio:5.2f} x")


def _tls(receiver: Receiver) -> str:
    folder = receiver.folder
    return f'ca = "{folder}/ca.pem"\ncert = "{folder}/lab.pem"\nkey = "{folder}/lab.key"'


def main() -> None:
    """Print both rows."""
    count, mebibytes, rounds = (int(word) for word in (*sys.argv[1:], *("300", "256", "2")[len(sys.argv) - 1 :]))
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        tls = Certificates(folder=folder / "receiver")
        tls.folder.mkdir()
        receiver = real_receiver(tls.folder, tls=tls)
        tls.write("lab", HOST)
        (folder / "plain").mkdir()
        with receiver.running(), plain_server(folder / "plain", tls) as port:
            (folder / "token").write_text(receiver.token())
            print(f"{count} episodes of 20 KiB, mutual TLS")
            measure(receiver, port, folder, small(count), rounds)
            print(f"one episode of {mebibytes} MiB, half noise and half text")
            measure(receiver, port, folder, large(mebibytes), rounds)


if __name__ == "__main__":
    main()
