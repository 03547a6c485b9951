"""Where items run: one interface with the shape of ``concurrent.futures.Executor`` before every place there is."""

from collections.abc import Callable, Mapping
from concurrent.futures import Future
from contextlib import AbstractContextManager
from dataclasses import dataclass
from threading import Lock
from typing import Protocol, TypeAlias

from dce_play.errors import DcePlayError, ExitCode
from dce_play.runner.cancel import Reason, Stopper
from dce_play.runner.fan_out.order import ItemOrder, ItemResult
from dce_play.runner.node_result import Failure
from dce_play.runner.secrets import RunSecrets
from dce_play.source import JsonValue
from dce_play.system.process.containers import NoteContainer, note_nowhere

Listen: TypeAlias = Callable[[Mapping[str, JsonValue], bool], None]
"""Takes an event of an item's run as JSON, and whether it was read from the journal of an earlier start."""


class ItemLost(DcePlayError):
    """The process that ran an item is gone, and nobody knows more."""

    exit_code = ExitCode.FAILED

    def __init__(self, reason: str) -> None:
        super().__init__(reason, hint="what it did stands in its own run folder; resume goes on from there")


class ItemNotRun(DcePlayError):
    """An item's run could not begin, or could not be kept; ``failure`` tells why."""

    def __init__(self, failure: Failure) -> None:
        super().__init__(failure.facts.message, hint=failure.facts.hint)
        self.failure = failure


def _warn_nobody(_message: str, _hint: str, /) -> None:
    """Tell nobody: an item has no operator of its own."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Inherited:
    """What an item's run has from its parent; what is ``None`` it makes itself."""

    stopper: Stopper | None = None
    secrets: RunSecrets | None = None
    fds: tuple[int, ...] = ()
    """What holds the archive's lock."""
    update_step: Callable[[str], None] | None = None
    note_container: NoteContainer = note_nowhere
    warn: Callable[[str, str], None] = _warn_nobody
    """Tells the run's operator a message and what to do, from any thread."""


class StopRequests:
    """Hands a wish to stop, from any thread, to the run that is at work, or to the one that comes next."""

    def __init__(self) -> None:
        self._lock = Lock()
        self._stopper: Stopper | None = None
        self._reason: Reason | None = None

    def ask(self, reason: Reason, /) -> None:
        """Stop the run at work."""
        with self._lock:
            self._reason = self._reason or reason
            if self._stopper is not None:
                self._stopper.ask(self._reason)

    @property
    def reason(self) -> Reason | None:
        """Return why to stop; ``None`` while nobody wants it."""
        return self._reason

    def attach(self, stopper: Stopper, /) -> None:
        """Name the run at work."""
        with self._lock:
            self._stopper = stopper
            if self._reason is not None:
                stopper.ask(self._reason)


@dataclass(frozen=True, slots=True, kw_only=True)
class ItemWork:
    """That a run is of one item: which, under what, and who may stop it."""

    order: ItemOrder
    inherited: Inherited | None = None
    """``None``: the run takes the archive's lock itself, if the item needs it."""
    stops: StopRequests | None = None

    def why(self) -> Reason | None:
        """Return why the item is to stop; ``None`` while it is not."""
        if self.inherited is not None and self.inherited.stopper is not None:
            return self.inherited.stopper.why()
        return self.stops.reason if self.stops is not None else None


class ItemExecutor(Protocol):
    """Runs items. ``submit`` comes from one thread; ``listen`` is called from any."""

    def placed(self, order: ItemOrder, /) -> ItemOrder | None:
        """Return the order as it can be submitted now, with host and home if any; ``None`` while all are busy."""

    def submit(self, order: ItemOrder, listen: Listen, /) -> "Future[ItemResult]":
        """Run an item; its future fails with a ``DcePlayError`` when nothing came back."""

    def stop(self, reason: Reason, /) -> None:
        """Ask everything at work to stop; ``cancelled()`` holds there within 3 s."""


class FanOut(Protocol):
    """How one run spreads the items of its loops."""

    @property
    def locks_itself(self) -> bool:
        """Return whether an item that writes the archive takes its lock itself, so that the parent must let go."""

    def host_of(self, item: object, /) -> str:
        """Return the only host that may run the item; empty for any."""

    def executor(self, inherited: Inherited, /) -> AbstractContextManager[ItemExecutor]:
        """Return what runs the items of one loop; everything is let go at the end of the block."""
