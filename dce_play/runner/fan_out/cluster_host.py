"""The far side of a cluster: what Dask's worker runs for an item, and the processes of this host that do it.

Both run in the process of ``dce-play worker``. A task of Dask holds one thread, which drives one item's process; that
process ends its item also when the worker, or the scheduler, is gone.
"""

import json
import socket
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from threading import Lock
from typing import Any

import distributed
from distributed.utils import sync

from dce_play.runner.cancel import Reason
from dce_play.runner.fan_out.executor import ItemLost, ItemNotRun
from dce_play.runner.fan_out.item_places import ItemPlaces, ItemProgram
from dce_play.runner.fan_out.order import ItemOrder, failure_json
from dce_play.runner.node_result import Failure, foreseen
from dce_play.source import JsonValue

SPACE = "dce-play"
"""Our place among the metadata of the scheduler."""


@dataclass(slots=True)
class ClusterHost:
    """What one worker has: a program to start, and the processes of the runs that it works for."""

    program: ItemProgram
    """Without a brief, which comes with each run."""
    _places: dict[str, ItemPlaces] = field(default_factory=dict)
    _lock: Lock = field(default_factory=Lock)

    @property
    def identity(self) -> str:
        """Return which state folder this is, by host and path: an item goes on only where its journal is."""
        return f"{socket.gethostname()}:{self.program.runs.resolve()}"

    def places(self, parent: str, brief: Mapping[str, JsonValue]) -> ItemPlaces:
        """Return the processes for one start of a run; those of other runs that have ended are let go."""
        with self._lock:
            if parent not in self._places:
                self._places[parent] = ItemPlaces(replace(self.program, brief=brief), None)
            return self._places[parent]

    def has(self, parent: str) -> bool:
        """Return whether the brief of a run is known here."""
        return parent in self._places

    def stop(self, parent: str, reason: Reason) -> None:
        """Ask the items of a run to stop."""
        with self._lock:
            places = self._places.get(parent)
        if places is not None:
            places.stop(reason)

    def forget(self, parent: str) -> None:
        """Let the processes of a run end."""
        with self._lock:
            places = self._places.pop(parent, None)
        if places is not None:
            places.close()


_host: list[ClusterHost] = []


def serve(host: ClusterHost) -> None:
    """Make this process the worker of a host."""
    _host[:] = [host]


def _own_host() -> ClusterHost:
    if not _host:
        raise ItemLost("a worker took the item that is none of dce-play")
    return _host[0]


def run_order(session: str, told: str) -> str:
    """Run one item, as a task of Dask; return ``{"result": …}`` or ``{"failure": …}`` as JSON.

    ``session`` is one start of the run; under it lies the brief, and its events are told under it as a topic.
    """
    order = ItemOrder.from_json(json.loads(told))
    try:
        return json.dumps({"result": _run(session, order)})
    except ItemNotRun as error:
        return json.dumps({"failure": failure_json(_located(error.failure, order))})
    except ItemLost as error:
        return json.dumps({"failure": failure_json(foreseen(error, order.id))})


def _located(failure: Failure, order: ItemOrder) -> Failure:
    """Return why an item was not run, or not kept, with the place: whoever reads it is elsewhere."""
    if failure.stops is not None:
        return failure
    place = f" (on the host {order.host}, which keeps runs in {_own_host().program.runs})"
    return replace(failure, facts=replace(failure.facts, message=failure.facts.message + place))


def _run(session: str, order: ItemOrder) -> dict[str, JsonValue]:
    host, worker = _own_host(), distributed.get_worker()
    if order.home != host.identity:
        raise ItemLost(
            f"its run is kept in {order.home}, and the worker of {order.host} that took it has {host.identity}"
        )
    if host.has(session):
        places = host.places(session, {})
    else:
        text = _metadata(worker, [SPACE, "brief", session])
        if not isinstance(text, str):
            raise ItemLost("the scheduler does not know the run any more")
        places = host.places(session, json.loads(text))
        reason = _metadata(worker, [SPACE, "stopped", session])
        if isinstance(reason, str):
            places.stop(Reason[reason])

    def listen(event: Mapping[str, JsonValue], replayed: bool) -> None:
        worker.log_event(session, json.dumps([order.run_id, event, replayed]))

    return places.run(order, listen).to_json()


def _metadata(worker: Any, keys: list[str]) -> object:
    found: object = sync(worker.loop, worker.scheduler.get_metadata, keys=keys, default=None)
    return found


async def stop_items(session: str, reason: str) -> None:
    """Ask the items of a run to stop, on a worker's own loop."""
    _own_host().stop(session, Reason[reason])


async def forget_run(session: str) -> None:
    """Let the processes of a run end, off the worker's loop."""
    await distributed.utils.offload(_own_host().forget, session)
