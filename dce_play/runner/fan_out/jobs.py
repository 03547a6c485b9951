"""Items in processes of this machine, so many at once: ``--jobs N``."""

from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from threading import Lock

from dce_play.runner.cancel import Reason
from dce_play.runner.fan_out.executor import Inherited, ItemExecutor, Listen
from dce_play.runner.fan_out.item_places import ItemPlaces, ItemProgram
from dce_play.runner.fan_out.order import ItemOrder, ItemResult


@dataclass(frozen=True, slots=True)
class Jobs:
    """Runs so many items at once, each in a process."""

    count: int
    program: ItemProgram
    locks_itself = False

    def host_of(self, _item: object, /) -> str:
        """Return that any host will do: there is this one."""
        return ""

    @contextmanager
    def executor(self, inherited: Inherited, /) -> Iterator[ItemExecutor]:
        """Return what runs items; its processes end with the block."""
        executor = _JobsExecutor(self.count, ItemPlaces(self.program, inherited))
        try:
            yield executor
        except BaseException:
            executor.stop(Reason.TERMINATED)
            raise
        finally:
            executor.close()


class _JobsExecutor:
    """A thread an item at work, which drives its process."""

    def __init__(self, count: int, places: ItemPlaces) -> None:
        self._count = count
        self._places = places
        self._pool = ThreadPoolExecutor(count, thread_name_prefix="items")
        self._lock = Lock()
        self._busy = 0

    def placed(self, order: ItemOrder, /) -> ItemOrder | None:
        """Return it as it is when a process is free."""
        with self._lock:
            return order if self._busy < self._count else None

    def submit(self, order: ItemOrder, listen: Listen, /) -> "Future[ItemResult]":
        """Run an item in the next free process."""
        with self._lock:
            self._busy += 1
        future = self._pool.submit(self._places.run, order, listen)
        future.add_done_callback(self._freed)
        return future

    def _freed(self, _future: "Future[ItemResult]") -> None:
        with self._lock:
            self._busy -= 1

    def stop(self, reason: Reason, /) -> None:
        """Ask every process to stop."""
        self._places.stop(reason)

    def close(self) -> None:
        """Wait for what is at work, and let all processes end."""
        self._pool.shutdown(wait=True)
        self._places.close()
