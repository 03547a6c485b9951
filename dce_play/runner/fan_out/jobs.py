"""Items in processes of this machine, so many at once: ``--jobs N``.

A thread of the pool drives one process, item after item. Lines to it: ``brief`` once, then ``order`` and ``stop``;
lines from it: ``event`` (and whether it is an old one), ``result`` or ``failure``, and containers to be noted beside
the lock. A process that was killed is started anew, and goes on where the item's journal ends.
"""

import queue
import signal
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from itertools import count
from pathlib import Path
from threading import Lock

from dce_play.runner.cancel import Reason
from dce_play.runner.fan_out.executor import Inherited, ItemExecutor, ItemLost, ItemNotRun, Listen
from dce_play.runner.fan_out.order import ItemOrder, ItemResult, failure_from
from dce_play.source import JsonValue
from dce_play.system.process.line_process import LineProcess

MOST_STARTS = 4
"""How often one item is begun when its process is killed again and again; Dask gives up after as many."""
_END_S = 10.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Jobs:
    """Starts processes for items."""

    count: int
    argv: Sequence[str]
    environment: Mapping[str, str]
    brief: Mapping[str, JsonValue]
    runs: Path
    """The folder of run folders."""
    said: Path
    """The folder for what the processes say on standard error, which is nothing."""

    @contextmanager
    def executor(self, inherited: Inherited, /) -> Iterator[ItemExecutor]:
        """Return what runs items; its processes end with the block."""
        executor = _JobsExecutor(self, inherited)
        try:
            yield executor
        except BaseException:
            executor.stop(Reason.TERMINATED)
            raise
        finally:
            executor.close()


class _Killed(Exception):
    """The process at work was killed."""


class ItemPlace:
    """One process, and what it is told."""

    def __init__(self, jobs: Jobs, inherited: Inherited, number: int) -> None:
        """Start it. Raises: OSError."""
        self._inherited = inherited
        self._process = LineProcess(
            jobs.argv,
            environment=jobs.environment,
            pass_fds=inherited.fds,
            said=jobs.said / f"item-process-{number}.stderr",
        )
        fds: list[JsonValue] = list(inherited.fds)
        self._process.write({"brief": dict(jobs.brief), "runs": str(jobs.runs), "fds": fds, "plugins": None})

    def run(self, order: ItemOrder, listen: Listen, /) -> ItemResult:
        """Run an item to its end.

        Raises: ItemNotRun; _Killed; ItemLost, when the process ended by itself.
        """
        self._process.write({"order": order.to_json()})
        containers: dict[str, ExitStack] = {}
        with ExitStack() as all_containers:
            all_containers.callback(_close_all, containers)
            for told in self._process.lines():
                result, event, failure = told.get("result"), told.get("event"), told.get("failure")
                if isinstance(event, dict):
                    listen(event, told.get("replayed") is True)
                elif isinstance(result, dict):
                    return ItemResult.from_json(result)
                elif isinstance(failure, dict):
                    raise ItemNotRun(failure_from(failure))
                else:
                    self._note(told, containers)
        code = self._process.end_code()
        if code < 0:
            raise _Killed(signal.Signals(-code).name)
        words = self._process.last_words().splitlines()
        raise ItemLost(f"the process of the item ended with {code}{f': {words[-1]}' if words else ''}")

    def _note(self, told: Mapping[str, JsonValue], containers: dict[str, ExitStack]) -> None:
        """Note a container beside the lock until it is gone, or the item ends."""
        container = told.get("container")
        if isinstance(container, str):
            noted = containers.setdefault(container, ExitStack())
            noted.enter_context(self._inherited.note_container(container))
            self._process.write({"noted": container})
        else:
            containers.pop(str(told.get("container_gone")), ExitStack()).close()

    def stop(self, reason: Reason) -> None:
        """Ask the item at work to stop."""
        self._process.write({"stop": reason.name})

    def close(self) -> None:
        """Let the process end, which it does at once when it has no item."""
        self._process.close(wait_s=_END_S)


def _close_all(containers: dict[str, ExitStack]) -> None:
    for each in containers.values():
        each.close()


class _JobsExecutor:
    """The processes of one loop."""

    def __init__(self, jobs: Jobs, inherited: Inherited) -> None:
        self._jobs = jobs
        self._inherited = inherited
        self._pool = ThreadPoolExecutor(jobs.count, thread_name_prefix="items")
        self._idle: queue.SimpleQueue[ItemPlace] = queue.SimpleQueue()
        self._numbers = count(1)
        self._lock = Lock()
        self._places: set[ItemPlace] = set()
        self._busy = 0
        self._stopped: Reason | None = None

    def takes(self, _order: ItemOrder, /) -> bool:
        """Return whether a process is free."""
        with self._lock:
            return self._busy < self._jobs.count

    def submit(self, order: ItemOrder, listen: Listen, /) -> "Future[ItemResult]":
        """Run an item in the next free process."""
        with self._lock:
            self._busy += 1
        future = self._pool.submit(self._run, order, listen)
        future.add_done_callback(self._freed)
        return future

    def _freed(self, _future: "Future[ItemResult]") -> None:
        with self._lock:
            self._busy -= 1

    def _run(self, order: ItemOrder, listen: Listen) -> ItemResult:
        killed = ""
        for _ in range(MOST_STARTS):
            if self._stopped is not None and killed:
                break
            place = self._place()
            try:
                result = place.run(order, listen)
            except _Killed as error:
                killed = str(error)
                self._drop(place)
            except ItemNotRun:
                self._idle.put(place)
                raise
            except BaseException:
                place.stop(Reason.TERMINATED)
                self._drop(place)
                raise
            else:
                self._idle.put(place)
                return result
        raise ItemLost(f"the process of the item was killed ({killed})")

    def _place(self) -> ItemPlace:
        try:
            return self._idle.get_nowait()
        except queue.Empty:
            pass
        try:
            place = ItemPlace(self._jobs, self._inherited, next(self._numbers))
        except OSError as error:
            raise ItemLost(f"no process can be started for the item: {error.strerror or error}") from error
        with self._lock:
            self._places.add(place)
            if self._stopped is not None:
                place.stop(self._stopped)
        return place

    def _drop(self, place: ItemPlace) -> None:
        with self._lock:
            self._places.discard(place)
        place.close()

    def stop(self, reason: Reason, /) -> None:
        """Ask every process to stop."""
        with self._lock:
            self._stopped = self._stopped or reason
            for place in self._places:
                place.stop(reason)

    def close(self) -> None:
        """Wait for what is at work, and let all processes end."""
        self._pool.shutdown(wait=True)
        for place in list(self._places):
            self._drop(place)
