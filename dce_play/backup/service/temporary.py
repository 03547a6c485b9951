"""Temporary folders that hold plain data: they go with us, whatever our end is.

A guard process that sees our end removes what we did not, so that a drill that was killed leaves nobody's data behind.
"""

import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from dce_play.system.process.executor import Executor
from dce_play.system.process.streaming import Streams
from dce_play.system.process.undo_guard import UndoGuard

_FOR_EVER_S = 30 * 86_400.0


@contextmanager
def temporary_folder(prefix: str, streams: Streams, executor: Executor, *, below: Path | None) -> Iterator[Path]:
    """Give a new folder, 0700, and remove it in the end, with all in it, whatever its modes."""
    with UndoGuard(streams, executor, max_s=_FOR_EVER_S) as guard:
        folder = Path(tempfile.mkdtemp(prefix=prefix, dir=below))
        guard.promise(("rm", "-rf", "--", str(folder)))
        guard.promise(("chmod", "-R", "u+rwX", "--", str(folder)))  # kept first: what was restored may be read-only
        try:
            yield folder
        finally:
            _remove(folder)


def _remove(folder: Path) -> None:
    """Remove a folder, also where what was restored in it may not be written to. What stays is left to the guard."""

    def unlock(_function: object, path: str, _error: object) -> None:
        try:
            os.chmod(os.path.dirname(path), 0o700)  # noqa: PTH101, PTH120 - as shutil gives it
            if os.path.isdir(path) and not os.path.islink(path):  # noqa: PTH112, PTH114 - as above
                os.chmod(path, 0o700)  # noqa: PTH101 - as above
                shutil.rmtree(path, ignore_errors=True)
            else:
                os.unlink(path)  # noqa: PTH108 - as above
        except OSError:
            return

    shutil.rmtree(folder, onerror=unlock)
