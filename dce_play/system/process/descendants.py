"""Ending everything that this process has started, at once: the way out when nobody waits any more."""

from contextlib import suppress


def end_descendants() -> None:
    """Kill all descendants of this process. Returns without waiting for them."""
    import psutil  # 20 ms to import, and only who leaves in a hurry needs it

    for child in psutil.Process().children(recursive=True):
        with suppress(psutil.NoSuchProcess, psutil.AccessDenied):
            child.kill()
