"""Programs that must not outlive us: a throw-away server whose parent was killed holds somebody's data."""

import ctypes
import os
import shutil
import signal
from collections.abc import Sequence

_SET_PARENT_DEATH_SIGNAL = 1
"""``PR_SET_PDEATHSIG`` of ``linux/prctl.h``."""


def end_with_parent(number: signal.Signals, *, parent: int) -> None:
    """Have this process, a fork of ``parent``, get a signal when that ends, also by SIGKILL; now if it is gone already.

    Raises: OSError.
    """
    if ctypes.CDLL(None, use_errno=True).prctl(_SET_PARENT_DEATH_SIGNAL, int(number), 0, 0, 0) != 0:
        raise OSError(ctypes.get_errno(), "prctl")
    if os.getppid() != parent:
        os.kill(os.getpid(), number)


def dying_with_us(argv: Sequence[str], *, by: str = "KILL") -> tuple[str, ...]:
    """Return the argv whose program gets a signal when we end, also by SIGKILL; as it is where there is no setpriv.

    The program is the very process: its pid stays that of what was started. Source: prctl(2), ``PR_SET_PDEATHSIG``.
    """
    setpriv = shutil.which("setpriv")
    return (setpriv, "--pdeathsig", by, "--", *argv) if setpriv else tuple(argv)
