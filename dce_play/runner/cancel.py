"""Stopping a run: signals, deadlines, and what happens to a step that does not stop when asked.

Three stages, a grace period apart: the step is asked (``Context.cancelled``; programs it runs are ended by their
executor, which asks too); the step is left by an exception; the process ends hard. What the archive's own journals
promise makes the last one safe.
"""

import os
import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from enum import StrEnum
from types import FrameType
from typing import Protocol

from dce_play.errors import ExitCode
from dce_play.system.clock import Clock


class Reason(StrEnum):
    """Why a run or a step is being stopped."""

    INTERRUPTED = "interrupted"
    """SIGINT."""
    TERMINATED = "terminated"
    """SIGTERM or SIGHUP."""
    RUN_TIMEOUT = "run timed out"
    SCHEDULER_LOST = "the scheduler of the cluster is lost"
    """Items are at work elsewhere, and nothing more will be heard of them."""
    TIMEOUT = "timed out"
    """The deadline of one step or block."""


EXIT_CODES = {
    Reason.INTERRUPTED: ExitCode.INTERRUPTED,
    Reason.TERMINATED: ExitCode.TERMINATED,
    Reason.RUN_TIMEOUT: ExitCode.TIMEOUT,
    Reason.SCHEDULER_LOST: ExitCode.FAILED,
    Reason.TIMEOUT: ExitCode.FAILED,
}


class Abandoned(BaseException):
    """Raised into a step that did not stop when asked. Not for steps to catch."""


class Hooks(Protocol):
    """What stopping needs from around it. Both are called from a signal handler."""

    def notice(self, reason: Reason, /) -> None:
        """Somebody asked the run to stop."""

    def end_hard(self, code: ExitCode, /) -> None:
        """End all programs, write the last event and end the process. Does not return."""


@dataclass(slots=True, eq=False)
class _Deadline:
    at: float
    reason: Reason


@dataclass(slots=True)
class Stopper:
    """Whether the run, or the step at hand, is to stop. Also what ``Context.cancellation`` is."""

    clock: Clock
    hooks: Hooks
    grace_s: float
    reason: Reason | None = None
    """Why the whole run stops; ``None`` while it does not."""
    _deadlines: list[_Deadline] = field(default_factory=list)
    _shields: int = 0
    _stage: int = 0
    _signal_count: int = 0
    _in_step: bool = False

    def is_set(self) -> bool:
        """Return whether what runs at this moment is to stop."""
        return self.why() is not None

    def why(self) -> Reason | None:
        """Return why what runs at this moment is to stop, or ``None``."""
        if self._deadlines:
            now = self.clock.monotonic()
            for deadline in self._deadlines:
                if now >= deadline.at:
                    if deadline.reason is Reason.RUN_TIMEOUT and self.reason is None:
                        self.reason = Reason.RUN_TIMEOUT
                    return deadline.reason
        return self.reason if self._shields == 0 else None

    def ask(self, reason: Reason, /) -> None:
        """Stop the whole run, from any thread; the stages begin as they do at a signal."""
        self.reason = self.reason or reason
        if signal.getsignal(signal.SIGALRM) == self._on_alarm:
            os.kill(os.getpid(), signal.SIGALRM)

    @contextmanager
    def shielded(self) -> Iterator[None]:
        """Let what runs inside go to its end although the run stops. A second signal ends it all the same."""
        outer, self._deadlines = self._deadlines, []
        self._shields += 1
        self._arm()
        try:
            yield
        finally:
            self._shields -= 1
            self._deadlines = outer
            self._arm()

    @contextmanager
    def deadline(self, seconds: float | None, reason: Reason = Reason.TIMEOUT) -> Iterator[None]:
        """Stop what runs inside after so many seconds; ``None`` sets no deadline."""
        if seconds is None:
            yield
            return
        mine = _Deadline(at=self.clock.monotonic() + seconds, reason=reason)
        self._deadlines.append(mine)
        self._arm()
        try:
            yield
        finally:
            self._deadlines.remove(mine)
            self._arm()

    @contextmanager
    def step(self) -> Iterator[None]:
        """Say that what runs inside is a step's own code, which may be abandoned."""
        self._in_step = True
        try:
            yield
        finally:
            self._in_step = False

    @contextmanager
    def installed(self) -> Iterator[None]:
        """Listen to signals while inside. Only the main thread can; elsewhere nothing is listened to."""
        if threading.current_thread() is not threading.main_thread():
            yield
            return
        handlers: dict[int, Callable[[int, FrameType | None], None]] = {
            signal.SIGINT: self._on_signal,
            signal.SIGTERM: self._on_signal,
            signal.SIGHUP: self._on_signal,
            signal.SIGALRM: self._on_alarm,
        }
        before = {number: signal.signal(number, handler) for number, handler in handlers.items()}
        try:
            yield
        finally:
            signal.setitimer(signal.ITIMER_REAL, 0.0)
            for number, handler in before.items():
                signal.signal(number, handler)

    def _on_signal(self, number: int, _frame: FrameType | None) -> None:
        reason = Reason.INTERRUPTED if number == signal.SIGINT else Reason.TERMINATED
        self._signal_count += 1
        if self._signal_count > 1:
            self.hooks.end_hard(EXIT_CODES[self.reason or reason])
        self.reason = self.reason or reason
        self.hooks.notice(reason)
        self._arm()

    def _on_alarm(self, _number: int, _frame: FrameType | None) -> None:
        if not self.is_set():
            self._arm()
            return
        self._stage += 1
        signal.setitimer(signal.ITIMER_REAL, self.grace_s)
        if self._stage == 2 and self._in_step:
            raise Abandoned
        if self._stage > 2:
            self.hooks.end_hard(EXIT_CODES[self.why() or Reason.TIMEOUT])

    def _arm(self) -> None:
        """Begin the stages anew, at the moment when what runs now is to stop; never, when nothing stops it."""
        if (
            threading.current_thread() is not threading.main_thread()
            or signal.getsignal(signal.SIGALRM) != self._on_alarm
        ):
            return
        self._stage = 0
        now = self.clock.monotonic()
        ends = [deadline.at for deadline in self._deadlines]
        if self.reason is not None and self._shields == 0:
            ends.append(now)
        delay = max(min(ends) - now, 0.001) if ends else 0.0
        signal.setitimer(signal.ITIMER_REAL, delay)
