"""Processes of this machine that run items: one an item at a time, started when there is none free.

Lines to such a process: ``brief`` once, then ``order`` and ``stop``; lines from it: ``event`` (and whether it is an old
one), ``result`` or ``failure``, and containers to be noted beside the parent's lock. A process that was killed is
replaced, and the next one goes on where the item's journal ends.
"""

import queue
import signal
from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from itertools import count
from pathlib import Path
from threading import Lock

from dce_play.runner.cancel import Reason
from dce_play.runner.fan_out.executor import Inherited, ItemLost, ItemNotRun, Listen
from dce_play.runner.fan_out.order import ItemOrder, ItemResult, failure_from
from dce_play.source import JsonValue
from dce_play.system.process.line_process import LineProcess

MOST_STARTS = 4
"""How often one item is begun when its process is killed again and again; Dask gives up after as many."""
_END_S = 10.0
_numbers = count(1)


@dataclass(frozen=True, slots=True, kw_only=True)
class ItemProgram:
    """What is started, and what it is told first."""

    argv: Sequence[str]
    environment: Mapping[str, str]
    brief: Mapping[str, JsonValue]
    runs: Path
    """The folder of run folders."""
    said: Path
    """The folder for what the processes say on standard error, which is nothing."""
    plugins: Path | None = None
    """Whose ``steps`` are the foreign ones; ``None`` for those of the run's own folder."""

    def start(self, fds: Sequence[int] = ()) -> LineProcess:
        """Start a process, which waits for its brief; ``fds`` it inherits.

        Raises: OSError.
        """
        said = self.said / f"item-process-{next(_numbers)}.stderr"
        return LineProcess(self.argv, environment=self.environment, pass_fds=fds, said=said)


def _none_ready() -> None:
    """Say that no process is ready."""


class _Killed(Exception):
    """The process at work was killed."""


class _Place:
    """One process."""

    def __init__(self, process: LineProcess, program: ItemProgram, inherited: Inherited | None) -> None:
        """Tell it what all items of the run have in common."""
        self._inherited = inherited
        self._process = process
        self._process.write(
            {
                "brief": dict(program.brief),
                "runs": str(program.runs),
                "fds": list(inherited.fds) if inherited is not None else None,
                "plugins": str(program.plugins) if program.plugins is not None else None,
            }
        )
        self.order: ItemOrder | None = None
        """The item at work."""
        self.stopped = False

    def run(self, order: ItemOrder, listen: Listen, /) -> ItemResult:
        """Run an item to its end.

        Raises: ItemNotRun; _Killed; ItemLost, when the process ended by itself.
        """
        self.order = order
        self._process.write({"order": order.to_json()})
        containers: dict[str, ExitStack] = {}
        try:
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
        finally:
            self.order = None
            for each in containers.values():
                each.close()
        code = self._process.end_code()
        if code < 0:
            raise _Killed(signal.Signals(-code).name)
        words = self._process.last_words().splitlines()
        raise ItemLost(f"the process of the item ended with {code}{f': {words[-1]}' if words else ''}")

    def _note(self, told: Mapping[str, JsonValue], containers: dict[str, ExitStack]) -> None:
        """Note a container beside the lock until it is gone, or the item ends."""
        container = told.get("container")
        if isinstance(container, str) and self._inherited is not None:
            noted = containers.setdefault(container, ExitStack())
            noted.enter_context(self._inherited.note_container(container))
            self._process.write({"noted": container})
        else:
            containers.pop(str(told.get("container_gone")), ExitStack()).close()

    def stop(self, reason: Reason) -> None:
        """Ask the item at work to stop. The process takes no other after that."""
        self.stopped = True
        self._process.write({"stop": reason.name})

    def close(self) -> None:
        """Let the process end, which it does at once when it has no item."""
        self._process.close(wait_s=_END_S)


class ItemPlaces:
    """The processes of one run here. ``run`` may be called from several threads at once."""

    def __init__(
        self,
        program: ItemProgram,
        inherited: Inherited | None,
        *,
        ready: Callable[[], LineProcess | None] = _none_ready,
    ) -> None:
        """``ready`` hands over a process that was started before, where there is one."""
        self._program = program
        self._inherited = inherited
        self._ready = ready
        self._idle: queue.SimpleQueue[_Place] = queue.SimpleQueue()
        self._lock = Lock()
        self._places: set[_Place] = set()
        self._stopped: Reason | None = None

    def run(self, order: ItemOrder, listen: Listen, /) -> ItemResult:
        """Run an item in a free process, or in a new one.

        Raises: ItemNotRun; ItemLost, when its process is gone, or was killed too often.
        """
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
                self._free(place)
                raise
            except BaseException:
                place.stop(Reason.TERMINATED)
                self._drop(place)
                raise
            else:
                self._free(place)
                return result
        raise ItemLost(f"the process of the item was killed ({killed})")

    def _place(self) -> _Place:
        try:
            return self._idle.get_nowait()
        except queue.Empty:
            pass
        try:
            process = self._ready() or self._program.start(self._inherited.fds if self._inherited is not None else ())
        except OSError as error:
            raise ItemLost(f"no process can be started for the item: {error.strerror or error}") from error
        place = _Place(process, self._program, self._inherited)
        with self._lock:
            self._places.add(place)
            if self._stopped is not None:
                place.stop(self._stopped)
        return place

    def _free(self, place: _Place) -> None:
        if place.stopped:
            self._drop(place)
        else:
            self._idle.put(place)

    def _drop(self, place: _Place) -> None:
        with self._lock:
            self._places.discard(place)
        place.close()

    def stop(self, reason: Reason, /) -> None:
        """Ask every process to stop, and those that are started from now on."""
        with self._lock:
            self._stopped = self._stopped or reason
            for place in self._places:
                place.stop(reason)

    def close(self) -> None:
        """Let all processes end; one that still has an item after a while is ended."""
        for place in list(self._places):
            self._drop(place)
