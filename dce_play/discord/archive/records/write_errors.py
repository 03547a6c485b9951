"""What goes wrong when the disk does not take what is written."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from dce_play.errors import DcePlayError
from dce_play.system.disk import FULL, write_hint


class NotEnoughSpace(DcePlayError):
    """The disk has no room for what is to be written."""

    def __init__(self, folder: Path, reason: str) -> None:
        super().__init__(
            f"no space left in {folder}: {reason}",
            hint="free some space and run again: the channel file is whole and the export is still staged",
        )
        self.folder = folder
        self.reason = reason


class WriteFailed(DcePlayError):
    """The disk did not take what was written to a channel file."""

    def __init__(self, archive: Path, reason: str, *, hint: str = "") -> None:
        super().__init__(
            f"writing to {archive} failed: {reason}",
            hint=hint or "look at the disk (dmesg); the next run undoes what was half written, the export is kept",
        )
        self.archive = archive
        self.reason = reason


class CannotClone(WriteFailed):
    """``reader_safe: reflink`` is asked for where the file system cannot share blocks."""

    def __init__(self, archive: Path) -> None:
        super().__init__(archive, "its file system cannot clone files", hint="use reader_safe: auto, or rewrite")


@contextmanager
def disk_errors(archive: Path) -> Iterator[None]:
    """Turn what the kernel says into what it means for the channel file. A missing file stays a missing file.

    Raises: NotEnoughSpace, WriteFailed.
    """
    try:
        yield
    except FileNotFoundError:
        raise
    except OSError as error:
        if error.errno in FULL:
            raise NotEnoughSpace(archive.parent, str(error)) from error
        raise WriteFailed(archive, str(error), hint=write_hint(error, full="", other="")) from error
