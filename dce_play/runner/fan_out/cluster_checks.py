"""What must hold before a run gives items to a cluster. Without Dask, which takes a second to import."""

import socket
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Self

from dce_play.errors import DcePlayError, ExitCode

_REACH_S = 3.0
_SIZE_BYTES = 8
"""Each message of Dask begins with its size."""
_LARGEST_GREETING_BYTES = 64 << 10
START_SCHEDULER = "start one: dask scheduler --port 8786"


class ClusterUnusable(DcePlayError):
    """No scheduler answers, or no worker there may take what it must."""

    exit_code = ExitCode.PREFLIGHT


@dataclass(frozen=True, slots=True)
class WorkerFacts:
    """What a worker says of itself when it comes to the scheduler."""

    address: str
    host: str
    slots: int
    version: str
    plugins: str
    home: str
    """The state folder, by machine and path."""
    heard: float = 0.0
    """When the scheduler heard of it last, by the scheduler's own clock."""

    @classmethod
    def told(cls, ours: Mapping[str, object], /, *, address: str, slots: int, heard: float = 0.0) -> Self:
        """Return what a worker tells, which one of another version may not know."""
        host, version, plugins, home = (str(ours.get(name, "")) for name in ("host", "version", "plugins", "home"))
        return cls(address=address, slots=slots, host=host, version=version, plugins=plugins, home=home, heard=heard)


def reach(address: str, /) -> None:
    """Look whether a scheduler greets whoever comes to ``tcp://HOST:PORT``: Dask would wait for that for ever.

    At ``tls://`` nobody speaks before he was spoken to: there it only looks whether anybody listens.

    Raises: ClusterUnusable.
    """
    protocol, _, place = address.partition("://")
    host, _, port = place.rpartition(":")
    try:
        with socket.create_connection((host.strip("[]"), int(port)), timeout=_REACH_S) as connection:
            if protocol == "tls":
                return
            greeting = connection.recv(_SIZE_BYTES, socket.MSG_WAITALL)
    except (OSError, OverflowError) as error:
        reason = getattr(error, "strerror", None) or str(error)
        raise ClusterUnusable(f"no scheduler answers at {address}: {reason.lower()}", hint=START_SCHEDULER) from error
    if len(greeting) < _SIZE_BYTES or int.from_bytes(greeting, "little") > _LARGEST_GREETING_BYTES:
        raise ClusterUnusable(f"what answers at {address} is no scheduler of Dask", hint=START_SCHEDULER)


def no_worker(host: str, home: str, /) -> ClusterUnusable:
    """Return the error of an item whose host nobody has; ``home`` has its run, when it was begun before."""
    begun = f"it was begun on the host {host}, whose {home} has its journal: " if home else ""
    return ClusterUnusable(
        f"{begun}no worker for the host {host}", hint="start one there, then resume: dce-play worker --help"
    )


def check_hosts(workers: Sequence[WorkerFacts], needed: Mapping[str, Sequence[str]], address: str, /) -> None:
    """Refuse a run whose items nobody may take. ``needed`` has the names of the targets of each host.

    Raises: ClusterUnusable, naming every host and its targets.
    """
    if not workers:
        raise ClusterUnusable(
            f"the scheduler at {address} has no worker of dce-play",
            hint=f"start one: dce-play worker --cluster {address} --host NAME",
        )
    there = {worker.host for worker in workers}
    missing = {host: names for host, names in needed.items() if host not in there}
    if missing:
        told = "; ".join(f"{host} (for {', '.join(names)})" for host, names in missing.items())
        command = f"dce-play worker --cluster {address} --host {next(iter(missing))}"
        raise ClusterUnusable(f"no worker for the host {told}", hint=f"start one there: {command}")


def check_same(workers: Sequence[WorkerFacts], version: str, plugins: str, /) -> None:
    """Refuse workers that would run something else than the parent.

    Raises: ClusterUnusable.
    """
    homes: dict[str, str] = {}
    for worker in workers:
        if worker.version != version:
            raise ClusterUnusable(
                f"the worker of {worker.host} at {worker.address} is dce-play {worker.version}, and this is {version}",
                hint="install the same version on every host, and start its worker again",
            )
        if plugins and worker.plugins != plugins:
            state = "has other step plugins" if worker.plugins else "was started without --plugins"
            raise ClusterUnusable(
                f"the worker of {worker.host} at {worker.address} {state}",
                hint="start it with --plugins in a folder with the same steps",
            )
        if homes.setdefault(worker.host, worker.home) != worker.home:
            raise ClusterUnusable(
                f"the workers of {worker.host} keep runs in different places: {homes[worker.host]} and {worker.home}",
                hint="give each machine its own --host NAME, and all workers of one the same --state-dir",
            )
