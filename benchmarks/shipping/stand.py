"""What all rows need: the real receiver, the plain server beside it, certificates, a token, episodes."""

import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from tests.support.lab_hosts import LabHost, lab_host
from tests.support.real_receiver import HOST, Certificates, Receiver, real_receiver


@dataclass(slots=True, kw_only=True)
class Stand:
    """A receiver and a plain server that run, in one folder."""

    folder: Path
    receiver: Receiver
    process: "subprocess.Popen[bytes]"
    plain_port: int
    token: str

    def host(self, name: str, *, more: str = "") -> LabHost:
        """Return a lab host with a folder of its own, and the token."""
        tls = self.receiver.folder
        files = f'ca = "{tls}/ca.pem"\ncert = "{tls}/lab.pem"\nkey = "{tls}/lab.key"'
        work = self.folder / name
        work.mkdir()
        host = lab_host(work, self.receiver.url, receiver=files, more=more)
        (work / "token").write_text(self.token)
        return host

    def forget_stored(self) -> None:
        """Remove all that the receiver stored; its index may keep the lines."""
        for path in (self.receiver.store / "store").iterdir():
            path.unlink()

    def tell(self, what: str, base: str, base_s: float, ours: str, ours_s: float) -> None:
        """Print one row."""
        print(f"{what}: {base} {base_s:.2f} s, {ours} {ours_s:.2f} s, {ours_s / base_s:.2f} x", flush=True)


@contextmanager
def open_stand(*, more: str = "") -> Iterator[Stand]:
    """Run both servers while the block runs."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        tls = Certificates(folder=folder / "receiver")
        tls.folder.mkdir()
        receiver = real_receiver(tls.folder, tls=tls, more=more)
        tls.write("lab", HOST)
        (folder / "plain").mkdir()
        with receiver.running() as process, plain_server(folder / "plain", tls) as port:
            yield Stand(folder=folder, receiver=receiver, process=process, plain_port=port, token=receiver.token())


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


def small_episodes(host: LabHost, count: int) -> None:
    """Write so many episodes of 20 KiB."""
    for number in range(count):
        host.episode(f"e{number:05}", files={"a.bin": os.urandom(20 << 10)})


def large_episode(host: LabHost, mebibytes: int, *, name: str = "large", pairs: int = 16) -> None:
    """Write one episode, half noise and half text, without holding it in memory.

    The two take turns, in so many files of each; with one pair all text comes last, and packs to almost nothing.
    """
    line = b"2026-11-28T03:15:00Z frame written, nothing lost, nothing doubled\n"
    text = (line * ((1 << 20) // len(line) + 1))[: 1 << 20]
    folder = host.data / "episodes" / f".{name}"
    folder.mkdir(parents=True)
    each = max(1, mebibytes // 2 // pairs)
    for number in range(mebibytes // 2 // each):
        names = (folder / f"{number:03}-{kind}" for kind in ("noise.bin", "text.log"))
        with next(names).open("wb") as noise, next(names).open("wb") as log:
            for _ in range(each):
                noise.write(os.urandom(1 << 20))
                log.write(text)
    (folder / "meta.json").write_text('{"code_version": {"commit": "' + "a1" * 20 + '"}}', encoding="utf-8")
    folder.rename(folder.with_name(name))
