"""The far side of a cluster: what Dask's worker runs for an item, and the processes of this host that do it.

Both run in the process of ``dce-play worker``. A task of Dask holds one thread, which drives one item's process; that
process ends its item also when the worker, or the scheduler, is gone.
"""

import json
import socket
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from threading import Lock, Timer
from typing import Any

import distributed
from distributed.utils import sync

from dce_play.runner.cancel import Reason
from dce_play.runner.fan_out.executor import ItemLost, ItemNotRun
from dce_play.runner.fan_out.item_places import ItemPlaces, ItemProgram
from dce_play.runner.fan_out.order import ItemOrder, failure_json
from dce_play.runner.fan_out.spare_process import SpareProcess
from dce_play.runner.node_result import Failure, foreseen
from dce_play.source import JsonValue

SPACE = "dce-play"
"""Our place among the metadata of the scheduler."""
IDLE_S = 3.0
"""So long the processes of a run wait for its next item."""


@dataclass(slots=True, eq=False)
class RunHere:
    """What a worker has for one start of a run."""

    places: ItemPlaces
    at_work: int = 0
    left: int = 0
    """How often it was left without an item."""


class ClusterHost:
    """What one worker has: a program to start, and the processes of the runs that it works for.

    A run that gives no item for a while is let go, as its parent may be dead; if it comes again, it is asked for again.
    """

    def __init__(self, program: ItemProgram) -> None:
        """``program`` is without a brief, which comes with each run."""
        self.program = program
        self.spare = SpareProcess(program)
        self._runs: dict[str, RunHere] = {}
        self._lock = Lock()

    @property
    def identity(self) -> str:
        """Return which state folder this is, by host and path: an item goes on only where its journal is."""
        return f"{socket.gethostname()}:{self.program.runs.resolve()}"

    def enter(self, session: str) -> RunHere | None:
        """Count an item of a run; ``None`` when the run is not known here. ``leave`` follows."""
        with self._lock:
            run = self._runs.get(session)
            if run is not None:
                run.at_work += 1
            return run

    def enter_new(self, session: str, brief: Mapping[str, JsonValue]) -> RunHere:
        """Count an item of a run that is known from now on. ``leave`` follows."""
        places = ItemPlaces(replace(self.program, brief=brief), None, ready=self.spare.take)
        with self._lock:
            run = self._runs.setdefault(session, RunHere(places))
            run.at_work += 1
            return run

    def leave(self, session: str, run: RunHere) -> None:
        """Count an item's end."""
        with self._lock:
            run.at_work -= 1
            if run.at_work == 0:
                run.left += 1
                later = Timer(IDLE_S, self._let_go, [session, run, run.left])
                later.daemon = True
                later.start()

    def stop(self, session: str, reason: Reason) -> None:
        """Ask the items of a run to stop."""
        with self._lock:
            run = self._runs.get(session)
        if run is not None:
            run.places.stop(reason)

    def _let_go(self, session: str, run: RunHere, left: int) -> None:
        """Let the processes of a run end that had no item since it was left."""
        with self._lock:
            if run.at_work or run.left != left:
                return
            if self._runs.get(session) is run:
                del self._runs[session]
        self._close(run)

    def forget(self, session: str) -> None:
        """Let the processes of a run end."""
        with self._lock:
            run = self._runs.pop(session, None)
        if run is not None:
            self._close(run)

    def _close(self, run: RunHere) -> None:
        """End its processes, and have one ready for the next run."""
        run.places.close()
        self.spare.fill()


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

    def listen(event: Mapping[str, JsonValue], replayed: bool) -> None:
        worker.log_event(session, json.dumps([order.run_id, event, replayed]))

    with _places(host, worker, session) as places:
        return places.run(order, listen).to_json()


@contextmanager
def _places(host: ClusterHost, worker: Any, session: str) -> Iterator[ItemPlaces]:
    """Give the processes for an item of a run, asking for what is not known here. Raises: ItemLost."""
    run = host.enter(session)
    new = run is None
    if run is None:
        text = _metadata(worker, [SPACE, "brief", session])
        if not isinstance(text, str):
            raise ItemLost("the scheduler does not know the run any more")
        run = host.enter_new(session, json.loads(text))
    try:
        reason = _metadata(worker, [SPACE, "stopped", session]) if new else None
        if isinstance(reason, str):
            run.places.stop(Reason[reason])
        yield run.places
    finally:
        host.leave(session, run)


def _metadata(worker: Any, keys: list[str]) -> object:
    found: object = sync(worker.loop, worker.scheduler.get_metadata, keys=keys, default=None)
    return found


async def stop_items(session: str, reason: str) -> None:
    """Ask the items of a run to stop, on a worker's own loop."""
    _own_host().stop(session, Reason[reason])


async def forget_run(session: str) -> None:
    """Let the processes of a run end, off the worker's loop."""
    await distributed.utils.offload(_own_host().forget, session)
