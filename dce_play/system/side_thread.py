"""A thread beside another one: it does one thing with pieces, in their order, and goes when none come for a while."""

import threading
from collections import deque
from collections.abc import Callable
from typing import Generic, TypeVar

T = TypeVar("T")

_MOST_WAITING = 8
LINGER_S = 1.0


class SideThread(Generic[T]):
    """Works on what is put. Nobody has to end it: without work its thread goes, and comes back with the next piece."""

    def __init__(self, work: Callable[[T], None], *, most_waiting: int = _MOST_WAITING) -> None:
        self._work = work
        self._most_waiting = most_waiting
        self._changed = threading.Condition()
        self._waiting: deque[T] = deque()
        self._works = False
        self._lives = False
        self._error: BaseException | None = None

    def put(self, piece: T) -> None:
        """Hand over a piece; waits while too many lie there.

        Raises: whatever the work raised with an earlier one.
        """
        if self._error is not None:
            raise self._error
        with self._changed:
            while len(self._waiting) >= self._most_waiting:
                self._changed.wait()
            self._waiting.append(piece)
            if not self._lives:
                self._lives = True
                threading.Thread(target=self._run, name="beside", daemon=True).start()
            self._changed.notify_all()

    def drain(self) -> None:
        """Wait until all that was put is done.

        Raises: whatever the work raised.
        """
        with self._changed:
            while self._waiting or self._works:
                self._changed.wait()
        if self._error is not None:
            raise self._error

    def _run(self) -> None:
        while (piece := self._next()) is not None:
            if self._error is None:
                try:
                    self._work(piece)
                except BaseException as error:  # noqa: BLE001 - told by `drain`, in the thread that waits
                    self._error = error

    def _next(self) -> T | None:
        with self._changed:
            self._works = False
            self._changed.notify_all()
            if not self._waiting:
                self._changed.wait_for(lambda: self._waiting, LINGER_S)
            if not self._waiting:
                self._lives = False
                return None
            self._works = True
            return self._waiting.popleft()
