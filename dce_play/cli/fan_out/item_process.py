"""The process that runs items, one after another, as its parent tells it in lines.

It goes on to the end of its item when the parent is gone, and ends then. ``runner.fan_out.jobs`` tells the protocol.
"""

import json
import os
import queue
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path

from dce_play.cli.fan_out.brief import PreparedItem, prepare_item
from dce_play.cli.fan_out.item_report import leave_item_report
from dce_play.errors import DcePlayError, ExitCode
from dce_play.events import ErrorFacts
from dce_play.runner.cancel import Reason
from dce_play.runner.fan_out.executor import Inherited, ItemNotRun, ItemWork, StopRequests
from dce_play.runner.fan_out.order import ItemOrder, failure_json
from dce_play.runner.item_run import item_settings, run_item
from dce_play.runner.node_result import Failure, foreseen
from dce_play.source import JsonValue
from dce_play.system.masked_output import mask_output
from dce_play.system.redact import PROCESS

_NOTED_S = 10.0
"""How long to wait for the parent to write a container beside its lock."""


class Parent:
    """The other end: lines from standard input, lines to what was standard output."""

    def __init__(self, source: int, target: int) -> None:
        self._source = os.fdopen(source, "rb")
        self._target = os.fdopen(target, "wb")
        self._writing = threading.Lock()
        self._noted: queue.SimpleQueue[str] = queue.SimpleQueue()
        self.lines: queue.SimpleQueue[Mapping[str, JsonValue] | None] = queue.SimpleQueue()
        self.stops = StopRequests()
        threading.Thread(target=self._read, daemon=True).start()

    def _read(self) -> None:
        for line in self._source:
            told = json.loads(line)
            if "stop" in told:
                self.stops.ask(Reason[told["stop"]])
            elif "noted" in told:
                self._noted.put(told["noted"])
            else:
                self.lines.put(told)
        self.lines.put(None)

    def tell(self, **told: JsonValue) -> None:
        """Write one line.

        Raises: OSError, when nobody reads it any more.
        """
        with self._writing:
            self._target.write(json.dumps(told).encode() + b"\n")
            self._target.flush()

    def listen(self, event: Mapping[str, JsonValue], replayed: bool, /) -> None:
        """Tell an event."""
        self.tell(event=dict(event), replayed=replayed)

    @contextmanager
    def note_container(self, container: str, /) -> Iterator[None]:
        """Have the parent note a container beside its lock while the block runs; durable when the block begins."""
        with suppress(OSError, queue.Empty):
            self.tell(container=container)
            self._noted.get(timeout=_NOTED_S)
        try:
            yield
        finally:
            with suppress(OSError):
                self.tell(container_gone=container)


def main() -> None:
    """Run items until the parent has no more."""
    target = os.dup(1)
    os.dup2(2, 1)  # what a step prints by mistake is no line of ours
    parent = Parent(os.dup(0), target)
    with Path(os.devnull).open("rb") as nothing:
        os.dup2(nothing.fileno(), 0)
    first = parent.lines.get()
    if first is None:
        return
    prepared = _prepare(first)
    fds = first["fds"]
    inherited = None
    if isinstance(fds, list):
        inherited = Inherited(fds=tuple(int(str(fd)) for fd in fds), note_container=parent.note_container)
    while (told := parent.lines.get()) is not None:
        order, runs = told["order"], Path(str(first["runs"]))
        if isinstance(order, dict):
            told = _run(parent, prepared, ItemOrder.from_json(order), runs, inherited)
            with suppress(OSError):  # whoever asks later reads it in the item's folder
                parent.tell(**told)


def _prepare(first: Mapping[str, JsonValue]) -> PreparedItem | DcePlayError:
    brief = first["brief"]
    try:
        prepared = prepare_item(
            brief if isinstance(brief, dict) else {}, dict(os.environ), plugins=_folder(first["plugins"])
        )
    except DcePlayError as error:
        return error
    for secret in prepared.settings.known_secrets:
        PROCESS.add(secret)
    mask_output(PROCESS)
    return prepared


def _folder(given: JsonValue) -> Path | None:
    return Path(given) if isinstance(given, str) else None


def _run(
    parent: Parent,
    prepared: PreparedItem | DcePlayError,
    order: ItemOrder,
    runs: Path,
    inherited: Inherited | None,
) -> dict[str, JsonValue]:
    try:
        if isinstance(prepared, DcePlayError):
            raise prepared
        settings = item_settings(prepared.settings, order, runs=runs)
        work = ItemWork(order=order, inherited=inherited, stops=parent.stops)
        result = run_item(prepared.plan, settings, work, parent.listen, leave_report=leave_item_report)
        return {"result": result.to_json()}
    except ItemNotRun as error:
        return {"failure": failure_json(error.failure)}
    except DcePlayError as error:
        return {"failure": failure_json(foreseen(error, order.id))}
    except OSError as error:  # a full disk, a state folder that may not be written
        facts = ErrorFacts(kind=type(error).__name__, message=f"the item's run cannot be kept: {error}")
        return {"failure": failure_json(Failure(facts=facts, exit_code=ExitCode.FAILED, where=order.id))}
