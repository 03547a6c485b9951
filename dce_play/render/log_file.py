"""The log file: the run for people, each line with its time, always appended and never cut."""

from pathlib import Path

from dce_play.errors import UsageError
from dce_play.events import Event, StepSaid
from dce_play.render.narrate import SUMMARY_MARKER, Narrator, Wishes
from dce_play.render.text import one_line


class LogFileUnusable(UsageError):
    """The log file cannot be opened for appending."""

    def __init__(self, path: Path, reason: str) -> None:
        super().__init__(f"cannot append to the log file {path}: {reason}")
        self.path = path


class LogFile:
    """Appends every line, and every event's time, to a file; its folders are made."""

    def __init__(self, path: Path) -> None:
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            self._file = path.open("a", encoding="utf-8", errors="backslashreplace")
        except OSError as error:
            raise LogFileUnusable(path, error.strerror or str(error)) from error
        self._narrator = Narrator(Wishes(verbose=True))
        self._file.write(f"Log file: {path}\n")

    def accept(self, event: Event, /) -> None:
        """Append what the event tells."""
        stamp = f"{event.ts[:19]}Z"
        if isinstance(event.body, StepSaid) and event.body.text.startswith(SUMMARY_MARKER):
            self._file.write(one_line(event.body.text) + "\n")
        for line in self._narrator.lines(event):
            self._file.write(f"{stamp} {''.join(text for text, _ in line)}".rstrip() + "\n")
        self._file.flush()

    def close(self) -> None:
        """Close the file."""
        self._file.close()
