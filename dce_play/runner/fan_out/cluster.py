"""Items on the workers of a Dask cluster: ``--cluster ADDRESS``. The scheduling, and all that travels, is Dask's.

There is one executor a host, as the resources of one are given once. Events come by a topic of the scheduler and are
folded by one thread here; stopping goes to the workers directly, as a task of Dask that runs cannot be cancelled.
"""

import json
import logging
import queue
import secrets
import threading
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import CancelledError, Executor, Future
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from typing import Any

import distributed

from dce_play.errors import DcePlayError
from dce_play.runner.cancel import Reason
from dce_play.runner.fan_out.absent_hosts import WAIT_S, AbsentHosts
from dce_play.runner.fan_out.cluster_checks import START_SCHEDULER, ClusterUnusable, WorkerFacts, no_worker
from dce_play.runner.fan_out.cluster_host import SPACE, forget_run, run_order, stop_items
from dce_play.runner.fan_out.executor import Inherited, ItemExecutor, ItemLost, ItemNotRun, Listen
from dce_play.runner.fan_out.host_slots import HostSlots
from dce_play.runner.fan_out.order import ItemOrder, ItemResult, failure_from
from dce_play.runner.node_result import stopped
from dce_play.source import JsonValue

CONNECT_S = 5.0
"""How long a scheduler may take to answer at first."""
PLACE = "dce-play"
"""The resource of which a worker has one for each item that it takes at a time."""
_HOST = "dce-play-host-"
_QUIET_S = 2.0
_LOST_S = 7.0
"""A scheduler that did not answer for so long is lost."""
_BYE_S = 1.0
"""So long what is told at the end may take: a scheduler that stands still keeps its connection open."""


def host_resource(host: str) -> str:
    """Return the name of the resource that the workers of a host have."""
    return f"{_HOST}{host}"


def connect(address: str, /) -> Any:
    """Return a client of Dask, connected.

    Raises: ClusterUnusable.
    """
    logging.getLogger("distributed").setLevel(logging.CRITICAL)
    logging.getLogger("tornado").setLevel(logging.CRITICAL)
    client: Any = distributed.Client  # it has no types
    try:
        return client(address, timeout=CONNECT_S, set_as_default=False, name=PLACE)
    except (OSError, TimeoutError, ValueError, TypeError) as error:
        reason = str(error).splitlines()[0] if str(error) else type(error).__name__
        raise ClusterUnusable(f"no scheduler answers at {address}: {reason}", hint=START_SCHEDULER) from error


def workers_of(client: Any, /) -> list[WorkerFacts]:
    """Return the workers of ours that are there.

    Raises: what Dask raises when its scheduler does not answer in time.
    """
    told = client.sync(client.scheduler.identity, n_workers=-1, callback_timeout=_LOST_S)
    workers = told["workers"].items()
    return [
        WorkerFacts.told(facts[SPACE], address=address, slots=int(facts["nthreads"]), heard=float(facts["last_seen"]))
        for address, facts in workers
        if isinstance(facts.get(SPACE), dict)
    ]


@dataclass(slots=True, kw_only=True)
class Cluster:
    """Sends items to workers. Made with a client that is connected, which ``close`` lets go."""

    client: Any
    brief: Mapping[str, JsonValue]
    host: Callable[[object], str]
    """Returns the host that an item names; empty for any."""
    locks_itself: bool = True
    session: str = field(default_factory=lambda: secrets.token_hex(8))
    _told: bool = False

    def host_of(self, item: object, /) -> str:
        """Return the only host that may run the item."""
        return self.host(item)

    @contextmanager
    def executor(self, inherited: Inherited, /) -> Iterator[ItemExecutor]:
        """Return what runs items."""
        if not self._told:
            self.client.set_metadata([SPACE, "brief", self.session], json.dumps(dict(self.brief)))
            self._told = True
        plugins = " --plugins" if self.brief["plugins"] is True else ""
        start = f"dce-play worker --cluster {self.client.scheduler.address}{plugins} --host"
        executor = _ClusterExecutor(self.client, self.session, inherited, start=start)
        try:
            yield executor
        except BaseException:
            executor.stop(Reason.TERMINATED)
            raise
        finally:
            executor.close()

    def close(self) -> None:
        """Let the workers forget the run, and the client go."""
        with suppress(Exception):
            if self._told and self.client.status == "running":
                self.client.sync(self._forget, callback_timeout=_BYE_S)
        with suppress(Exception):
            self.client.close(timeout=_BYE_S)

    async def _forget(self) -> None:
        for what in ("brief", "stopped"):
            await self.client.set_metadata([SPACE, what, self.session], None)
        await self.client.run(forget_run, self.session, wait=False, on_error="ignore")


class _ClusterExecutor:
    """The items of one loop on the cluster."""

    def __init__(self, client: Any, session: str, inherited: Inherited, *, start: str) -> None:
        """``start`` is the command that starts a worker, but for the host's name at its end."""
        self._client = client
        self._session = session
        self._inherited = inherited
        self._executors: dict[str, Executor] = {}
        self._listeners: dict[str, Listen] = {}
        self._futures: dict[str, tuple[Future[ItemResult], ItemOrder]] = {}
        self._slots = HostSlots()
        self._absent = AbsentHosts(start, inherited.warn)
        with suppress(Exception):  # a scheduler that is gone is told of by the watch
            self._slots.look(workers_of(client))
        self._heard: queue.SimpleQueue[Callable[[], None] | None] = queue.SimpleQueue()
        self._over = threading.Event()
        self._stopped: Reason | None = None
        client.subscribe_topic(session, self._event)
        self._folding = threading.Thread(target=self._fold, name="item-events", daemon=True)
        self._folding.start()
        self._watching = threading.Thread(target=self._watch, name="scheduler-watch", daemon=True)
        self._watching.start()

    # Called from the run's own thread.

    def placed(self, order: ItemOrder, /) -> ItemOrder | None:
        """Return the order for a host that has a free place; as it is when there is none for it at all.

        What waits at the scheduler is bound to one worker before it is known which gets free first.
        """
        return self._slots.bind(order)

    def submit(self, order: ItemOrder, listen: Listen, /) -> "Future[ItemResult]":
        """Give an item to the scheduler."""
        mine: Future[ItemResult] = Future()
        if not self._slots.knows(order.host):
            mine.set_exception(no_worker(order.host or "any", order.home))
            return mine
        self._listeners[order.run_id] = listen
        self._futures[order.run_id] = (mine, order)
        self._slots.count(order.host, 1)
        theirs = self._executor(order.host).submit(run_order, self._session, json.dumps(order.to_json()))
        theirs.add_done_callback(lambda done: self._heard.put(lambda: self._ended(order, done)))
        return mine

    def _executor(self, host: str) -> Executor:
        """Return the executor for the items of a host. Resources are given once, so there is one for each."""
        if host not in self._executors:
            resources = {PLACE: 1.0} | ({host_resource(host): 1.0} if host else {})
            self._executors[host] = self._client.get_executor(resources=resources, pure=False)
        return self._executors[host]

    def stop(self, reason: Reason, /) -> None:
        """Ask every worker to stop the run's items, and take back what waits at the scheduler."""
        self._stopped = reason
        if reason is Reason.SCHEDULER_LOST or self._client.status != "running":
            return
        with suppress(Exception):
            self._client.sync(self._stop_items, reason, callback_timeout=_QUIET_S)

    async def _stop_items(self, reason: Reason) -> None:
        # First for workers that hear of the run later, then to those that work for it.
        await self._client.set_metadata([SPACE, "stopped", self._session], reason.name)
        await self._client.run(stop_items, self._session, reason.name, wait=False, on_error="ignore")

    def close(self) -> None:
        """Hear nothing more."""
        self._over.set()
        self._heard.put(None)
        self._folding.join()
        with suppress(Exception):
            self._client.unsubscribe_topic(self._session)

    # Called from Dask's threads and from our own two.

    def _event(self, event: tuple[float, str]) -> None:
        self._heard.put(lambda: self._listen(event[1]))

    def _listen(self, text: str) -> None:
        run_id, line, replayed = json.loads(text)
        listen = self._listeners.get(run_id)
        if listen is None:
            return
        try:
            listen(line, replayed)
        except DcePlayError as error:  # the parent's journal is lost: whoever waits for the item gets that
            self._settle(run_id, error)

    def _fold(self) -> None:
        while (heard := self._heard.get()) is not None:
            heard()

    def _ended(self, order: ItemOrder, done: "Future[str]") -> None:
        try:
            told = json.loads(done.result())
        except CancelledError:
            self._lost()
            return
        except distributed.KilledWorker:
            self._settle(order.run_id, ItemLost("the workers that took the item were killed, one after another"))
            return
        except Exception as error:  # noqa: BLE001 - whatever a worker raised, unpickled here
            self._settle(order.run_id, ItemLost(f"the worker failed: {type(error).__name__}: {error}"))
            return
        if "failure" in told:
            self._settle(order.run_id, ItemNotRun(failure_from(told["failure"])))
        else:
            self._settle(order.run_id, ItemResult.from_json(told["result"]))

    def _settle(self, run_id: str, outcome: ItemResult | DcePlayError) -> None:
        future, order = self._futures.pop(run_id, (None, None))
        self._listeners.pop(run_id, None)
        if future is None or order is None:
            return
        self._slots.count(order.host, -1)
        if isinstance(outcome, DcePlayError):
            future.set_exception(outcome)
        else:
            future.set_result(outcome)

    def _watch(self) -> None:
        """Ask the scheduler now and then whether it is there."""
        while not self._over.wait(_QUIET_S):
            try:
                workers = workers_of(self._client)
            except Exception:  # noqa: BLE001 - however it fails, nobody is there
                self._heard.put(self._lost)
                return
            self._slots.look(workers)
            self._absent.look(workers)
            self._heard.put(self._given_up)
            self._heard.put(self._tell_absent)

    def _given_up(self) -> None:
        """Wait no more, in a run that stops, for items whose workers are all gone."""
        reason = self._stopped
        if reason is None or self._over.is_set():
            return
        for run_id, (_, order) in list(self._futures.items()):
            if not self._slots.has(order.host):
                self._settle(run_id, ItemNotRun(stopped(reason, order.id)))

    def _tell_absent(self) -> None:
        """Tell which items wait for a host that does not answer, and wait for none of them for ever."""
        if self._stopped is not None or self._over.is_set():
            return
        waiting: dict[str, list[str]] = {}
        for _, order in self._futures.values():
            waiting.setdefault(order.host, []).append(order.id)
        for host in self._absent.tell(waiting):
            for run_id, (_, order) in list(self._futures.items()):
                if order.host == host:
                    self._settle(run_id, ItemLost(f"no worker of the host {host} answered for {WAIT_S:.0f} s"))

    def _lost(self) -> None:
        """End the run: nothing more will be heard of the items that are at work."""
        if self._over.is_set():
            return
        if self._inherited.stopper is not None and self._inherited.stopper.why() is None:
            self._inherited.stopper.ask(Reason.SCHEDULER_LOST)
        for run_id, (_, order) in list(self._futures.items()):
            reason = Reason.SCHEDULER_LOST
            self._settle(run_id, ItemNotRun(stopped(reason, order.id)))
