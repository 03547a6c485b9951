"""Machines of a test's own: network namespaces on one switch, whose cables can be pulled. Nobody else reaches them."""

import subprocess
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.support.processes import eventually

_MOST_S = "1200"
"""So long a namespace lives at most, should nobody end it."""


@dataclass(frozen=True, slots=True)
class Machine:
    """A network namespace: ``prefix`` before a command's words runs it there."""

    name: str
    address: str
    pid: int

    @property
    def prefix(self) -> tuple[str, ...]:
        return ("nsenter", f"--net=/proc/{self.pid}/ns/net", "--")


@dataclass(frozen=True, slots=True)
class Network:
    """Machines by name, and the switch, which is one too."""

    switch: Machine
    machines: dict[str, Machine]

    def cut(self, name: str) -> None:
        """Pull a machine's cable: what is sent to it and by it is gone without a word."""
        self._ip("link", "set", name, "down")

    def mend(self, name: str) -> None:
        """Put the cable back."""
        self._ip("link", "set", name, "up")

    def slow(self, name: str, rate: str) -> None:
        """Let a machine hear so many bits a second, the rest waits."""
        words = ["tc", "qdisc", "add", "dev", name, "root", "tbf", "rate", rate, "burst", "16kb", "latency", "5s"]
        subprocess.run([*self.switch.prefix, *words], check=True)

    def _ip(self, *words: str) -> None:
        subprocess.run([*self.switch.prefix, "ip", *words], check=True)


@contextmanager
def network(names: Sequence[str]) -> Iterator[Network]:
    """Give machines with such names on a switch; skip, aloud, where none can be made."""
    holders: list[subprocess.Popen[bytes]] = []
    try:
        switch = _machine("switch", "10.77.0.1", holders)
        for words in (["link", "add", "switch", "type", "bridge"], ["link", "set", "switch", "up"],
                      ["addr", "add", "10.77.0.1/24", "dev", "switch"]):  # fmt: skip
            _in(switch, words)
        machines = {}
        for number, name in enumerate(names, 2):
            machine = machines[name] = _machine(name, f"10.77.0.{number}", holders)
            _in(switch, ["link", "add", name, "type", "veth", "peer", "name", "lan", "netns", str(machine.pid)])
            _in(switch, ["link", "set", name, "master", "switch", "up"])
            _in(machine, ["addr", "add", f"{machine.address}/24", "dev", "lan"])
            _in(machine, ["link", "set", "lan", "up"])
        yield Network(switch, machines)
    finally:
        for holder in holders:
            holder.kill()
            holder.communicate()


def _machine(name: str, address: str, holders: list["subprocess.Popen[bytes]"]) -> Machine:
    holder = subprocess.Popen(["unshare", "--net", "sleep", _MOST_S], stderr=subprocess.PIPE)
    holders.append(holder)
    ours = Path("/proc/self/ns/net").readlink()
    if not eventually(lambda: holder.poll() is not None or Path(f"/proc/{holder.pid}/ns/net").readlink() != ours):
        pytest.skip("no network namespace was made")
    if holder.poll() is not None:
        assert holder.stderr is not None
        pytest.skip(f"no network namespaces here: {holder.stderr.read().decode().strip()}")
    machine = Machine(name, address, holder.pid)
    _in(machine, ["link", "set", "lo", "up"])
    return machine


def _in(machine: Machine, words: Sequence[str]) -> None:
    done = subprocess.run([*machine.prefix, "ip", *words], check=False, capture_output=True, text=True)
    if done.returncode != 0:
        pytest.skip(f"no network of its own can be made here: ip {' '.join(words)}: {done.stderr.strip()}")
