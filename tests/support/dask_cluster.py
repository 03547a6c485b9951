"""A Dask scheduler and workers of ours, as processes."""

import os
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path

from tests.support import forked
from tests.support.command_line import Terminal
from tests.support.network import Machine
from tests.support.processes import eventually


@dataclass(slots=True)
class DaskCluster:
    """What runs; everything is killed at the end of the block."""

    folder: Path
    port: int
    variables: Mapping[str, str] = field(default_factory=dict)
    """Settings of the scheduler; with those of TLS it speaks that."""
    processes: list["subprocess.Popen[str]"] = field(default_factory=list)
    host: str = "127.0.0.1"
    prefix: tuple[str, ...] = ()
    """What stands before the scheduler's command: that which goes into a machine of the test's own."""

    @property
    def address(self) -> str:
        return f"{'tls' if self.variables else 'tcp'}://{self.host}:{self.port}"

    def start_scheduler(self) -> "subprocess.Popen[str]":
        """Start the scheduler; it listens when this returns."""
        argv = [*self.prefix, sys.executable, "-m", "distributed.cli.dask_scheduler", "--port", str(self.port)]
        argv += ["--no-dashboard", "--host", self.host, *(["--protocol", "tls"] if self.variables else [])]
        process = self._start(
            argv, {"PATH": os.environ["PATH"], "HOME": str(self.folder), **self.variables}, "scheduler"
        )
        assert eventually(self.listens), self.said("scheduler")
        return process

    def listens(self) -> bool:
        """Return whether the scheduler is there."""
        if not self.prefix:
            with socket.socket() as probe:
                return probe.connect_ex((self.host, self.port)) == 0
        words = [*self.prefix, "bash", "-c", f"exec 3<>/dev/tcp/{self.host}/{self.port}"]
        return subprocess.run(words, check=False, capture_output=True).returncode == 0

    def start_worker(
        self, terminal: Terminal, host: str, *words: str, folder: Path | None = None, **variables: str
    ) -> "subprocess.Popen[str]":
        """Start a worker of a host in the project; it has come to the scheduler when this returns."""
        argv = terminal.argv("worker", "--cluster", self.address, "--host", host, *words)
        return self.start_worker_with(argv, terminal, folder=folder, **variables)

    def start_worker_with(
        self, argv: list[str], terminal: Terminal, *, folder: Path | None = None, **variables: str
    ) -> "subprocess.Popen[str]":
        """Start a worker by an argv."""
        name = f"worker-{len(self.processes)}"
        process = self._start(argv, {**terminal.environment, **variables}, name, cwd=folder or terminal.folder)
        assert eventually(lambda: "worker for" in self.said(name) or process.poll() is not None)
        return process

    def said(self, name: str) -> str:
        """Return what a process has said."""
        return (self.folder / f"{name}.log").read_text(encoding="utf-8")

    def _start(
        self, argv: list[str], environment: dict[str, str], name: str, cwd: Path | None = None
    ) -> "subprocess.Popen[str]":
        with (self.folder / f"{name}.log").open("w") as log:
            process = forked.start(
                argv, env=environment, cwd=cwd, stdout=log, stderr=log, stdin=subprocess.DEVNULL, text=True,
                start_new_session=True,
            )  # fmt: skip
        self.processes.append(process)
        return process


@contextmanager
def dask_cluster(
    folder: Path, *, variables: Mapping[str, str] | None = None, machine: Machine | None = None
) -> Iterator[DaskCluster]:
    """Give a cluster with a scheduler and no workers; ``machine`` is where the scheduler runs, if not here."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    made = DaskCluster(folder, port, variables or {})
    if machine is not None:
        made.host, made.prefix = machine.address, machine.prefix
    try:
        made.start_scheduler()
        yield made
    finally:
        for process in made.processes:
            with suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
            process.wait()
