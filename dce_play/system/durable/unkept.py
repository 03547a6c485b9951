"""Records that only save work: where they cannot be kept, the work is done without them, and that is told once."""

import logging
import os
from functools import cache
from pathlib import Path

_LOG = logging.getLogger("dce-play")


def can_keep(folder: Path, what: str) -> bool:
    """Make the folder; return whether files can be kept in it, and tell once if not."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        tell_unkept(what, f"{error.filename or folder}: {(error.strerror or str(error)).lower()}")
        return False
    if not os.access(folder, os.W_OK | os.X_OK):
        tell_unkept(what, f"{folder} may not be written")
        return False
    return True


@cache
def tell_unkept(what: str, reason: str) -> None:
    """Say, once, that the work goes on without its records."""
    _LOG.warning("warning: going on without %s (%s); everything is read in full", what, reason)
