"""The one stream of a run's events: numbered, masked, and handed to every sink."""

from collections import deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import fields, is_dataclass
from threading import RLock
from typing import Any, Protocol

from dce_play.errors import DcePlayError
from dce_play.events import Body, Diagnosed, Event, Sink
from dce_play.system.clock import Clock
from dce_play.system.disk import write_hint


class Mask(Protocol):
    """What knows the secrets."""

    @property
    def armed(self) -> bool:
        """Return whether there is anything to mask."""

    def mask(self, text: str, /) -> str:
        """Return the text with every spelling of every secret replaced."""


class JournalLost(DcePlayError):
    """The journal can no longer be written."""

    def __init__(self, error: OSError) -> None:
        super().__init__(
            f"the run's journal cannot be written: {error.strerror or error}",
            hint="without a record the run does not go on; "
            + write_hint(error, full="make room, then resume", other="mend that, then resume"),
        )


class EventStream:
    """Hands each event to all sinks, in order, whichever thread it comes from.

    A sink that fails is dropped, and the others are told. The first sink is the journal: once it has failed every
    further event raises, so that nothing is done that nobody would know of.
    """

    def __init__(self, *, run_id: str, clock: Clock, mask: Mask, sinks: Sequence[Sink], first_seq: int = 1) -> None:
        self._run_id = run_id
        self._clock = clock
        self._mask = mask
        self._sinks = list(sinks)
        self._vital = self._sinks[0] if self._sinks else None
        self._lost: JournalLost | None = None
        self._seq = first_seq - 1
        self._watch: Callable[[], None] = lambda: None
        self._turn = RLock()
        self._posted: deque[tuple[Body, Callable[[], None]]] = deque()
        self._delivering = False

    @contextmanager
    def watched(self, watch: Callable[[], None], /) -> Iterator[None]:
        """Call this at every event while the block runs, also from a signal handler: it must neither wait nor raise."""
        self._watch = watch
        try:
            yield
        finally:
            self._watch = lambda: None

    def emit(self, body: Body, /) -> None:
        """Hand the event to every sink; it is with all of them when this returns.

        Raises: JournalLost.
        """
        with self._turn:
            self._deliver(body)
            self._deliver_posted()
        if self._lost is not None:
            raise self._lost

    def finish(self, body: Body, /) -> None:
        """Hand over the last event, to those sinks that are left."""
        with self._turn:
            self._deliver(body)

    def post(self, body: Body, /, *, then: Callable[[], None] = lambda: None) -> None:
        """Hand over an event from a signal handler, which may have interrupted a delivery: after that one then.

        ``then`` is called when every sink has it.
        """
        self._posted.append((body, then))
        if not self._delivering and self._turn.acquire(blocking=False):
            try:
                self._deliver_posted()
            finally:
                self._turn.release()

    def _deliver_posted(self) -> None:
        while self._posted:
            body, then = self._posted.popleft()
            self._deliver(body)
            then()

    def close(self) -> None:
        """Close all sinks."""
        with self._turn:
            for sink in self._sinks:
                try:
                    sink.close()
                except OSError:
                    continue
            self._sinks.clear()

    def _deliver(self, body: Body) -> None:
        self._delivering = True
        try:
            self._seq += 1
            shown = masked(body, self._mask) if self._mask.armed else body
            stamp = self._clock.now().isoformat(timespec="microseconds").replace("+00:00", "Z")
            event = Event(seq=self._seq, ts=stamp, run=self._run_id, body=shown)
            failed = [broken for sink in self._sinks if (broken := self._hand(sink, event)) is not None]
        finally:
            self._delivering = False
        self._watch()
        for sink, error in failed:
            self._sinks.remove(sink)
            self._deliver(Diagnosed(severity="warning", message=f"an output is lost: {error}"))

    def _hand(self, sink: Sink, event: Event) -> tuple[Sink, OSError] | None:
        try:
            sink.accept(event)
        except OSError as error:
            if sink is self._vital:
                self._lost = JournalLost(error)
            return sink, error
        return None


def masked(value: Any, mask: Mask, /) -> Any:
    """Return the same value with every text in it masked, however deep."""
    match value:
        case str():
            text = mask.mask(value)
            return value if text == value else text
        case None | bool() | int() | float():
            return value
        case Mapping():
            return {mask.mask(str(key)): masked(each, mask) for key, each in value.items()}
        case tuple():
            return tuple(masked(each, mask) for each in value)
        case list():
            return [masked(each, mask) for each in value]
        case _ if is_dataclass(value) and not isinstance(value, type):
            parts = {each.name: masked(getattr(value, each.name), mask) for each in fields(value)}
            return type(value)(**parts)
        case _:
            return value
