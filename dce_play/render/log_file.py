"""The log file: the run for people, each line with its time, always appended and never cut.

A link is followed; a device or a FIFO is written through.
"""

import os
from contextlib import suppress
from pathlib import Path
from typing import TextIO

from dce_play.errors import UsageError
from dce_play.events import Event, StepSaid
from dce_play.render.narrate import SUMMARY_MARKER, Narrator
from dce_play.render.page.display import DisplayOptions
from dce_play.render.text import one_line
from dce_play.system.durable.named_outputs import OutputNotWritten, is_written_through, open_through


class LogFileUnusable(UsageError):
    """The log file cannot be opened for appending."""

    def __init__(self, path: Path, reason: str) -> None:
        super().__init__(f"cannot append to the log file {path}: {reason}")
        self.path = path


class LogFile:
    """Appends every line, and every event's time, to a file; its folders are made."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self.lost: OutputNotWritten | None = None
        """Why it does not have everything, once that is so."""
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            self._file = _open(path)
        except OSError as error:
            raise LogFileUnusable(path, error.strerror or str(error)) from error
        self._narrator = Narrator(DisplayOptions(verbosity=1))
        with suppress(OSError):  # kept in ``lost``; the first event that cannot be written is told in the stream
            self._write([f"Log file: {path}"])

    def accept(self, event: Event, /) -> None:
        """Append what the event tells.

        Raises: OSError, when it cannot be written.
        """
        stamp = f"{event.ts[:19]}Z"
        lines = [f"{stamp} {''.join(text for text, _ in line)}".rstrip() for line in self._narrator.lines(event)]
        if isinstance(event.body, StepSaid) and event.body.text.startswith(SUMMARY_MARKER):
            lines.insert(0, one_line(event.body.text))
        self._write(lines)

    def _write(self, lines: list[str]) -> None:
        try:
            self._file.write("".join(f"{line}\n" for line in lines))
            self._file.flush()
        except OSError as error:
            self.lost = OutputNotWritten(self._path, (error.strerror or str(error)).lower(), what="the log")
            raise

    def close(self) -> None:
        """Close the file. What it could not take is lost already, and told."""
        try:
            self._file.close()
        except OSError as error:
            self.lost = self.lost or OutputNotWritten(self._path, str(error.strerror), what="the log")


def _open(path: Path) -> TextIO:
    if not is_written_through(path):
        return path.open("a", encoding="utf-8", errors="backslashreplace")
    descriptor = open_through(path)
    os.set_blocking(descriptor, True)
    return os.fdopen(descriptor, "w", encoding="utf-8", errors="backslashreplace")
