"""Signals and the deadline of a backup command: each ends it once, as an error of the closed set.

What is raised is no ``Exception``: nothing on the way that takes a failed probe or program lightly may swallow it.
"""

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

from dce_play.backup.errors import BackupError, ErrorId
from dce_play.errors import ExitCode

_CODES = {
    signal.SIGINT: ExitCode.INTERRUPTED,
    signal.SIGTERM: ExitCode.TERMINATED,
    signal.SIGHUP: ExitCode.TERMINATED,
}


class Stopped(BaseException):
    """The command is to end now."""

    def __init__(self, error: BackupError) -> None:
        super().__init__(str(error))
        self.error = error


@contextmanager
def stoppable(timeout_s: float | None) -> Iterator[None]:
    """End the block by ``Stopped`` at the first signal, or when the time is up; later signals find it ending already.

    Raises: Stopped.
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    ending = False

    def stop(number: int, _frame: FrameType | None) -> None:
        nonlocal ending
        if ending:
            return
        ending = True
        if number == signal.SIGALRM:
            raise Stopped(BackupError(ErrorId.TIMEOUT, f"it was not done after {timeout_s:g} s"))
        code = _CODES[signal.Signals(number)]
        raise Stopped(BackupError(ErrorId.INTERRUPTED, "interrupted; nothing was left behind", exit_code=code))

    before = {number: signal.signal(number, stop) for number in (*_CODES, signal.SIGALRM)}
    if timeout_s is not None:
        signal.setitimer(signal.ITIMER_REAL, max(timeout_s, 0.001))
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        for number, handler in before.items():
            signal.signal(number, handler)
