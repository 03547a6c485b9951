"""The live display: coloured lines that scroll, and below them what is running at this moment. Imports rich."""

import time
from typing import TextIO

from rich.console import Console, ConsoleOptions, RenderResult
from rich.live import Live
from rich.progress_bar import ProgressBar
from rich.spinner import Spinner
from rich.table import Table
from rich.text import Text
from rich.theme import Theme

from dce_play.events import GROUPS, Asked, Event, RunEnded, StepEnded, StepProgressed, StepRef, StepStarted
from dce_play.render.lines import Line, progress_text
from dce_play.render.narrator import narrator
from dce_play.render.page.display import DisplayOptions
from dce_play.render.text import ASCII, duration, one_line

_THEME = Theme(
    {
        "ok": "green",
        "changed": "yellow",
        "failed": "bold red",
        "rescued": "magenta",
        "maybe": "cyan",
        "skipped": "bright_black",
        "dim": "bright_black",
    },
    inherit=True,
)
_REFRESH_HZ = 8


class _Running:
    """The bottom line: spinner, step, progress, and for how long."""

    def __init__(self, *, ascii_only: bool) -> None:
        self.step: StepRef | None = None
        self.since = 0.0
        self.progress: StepProgressed | None = None
        self._spinner = Spinner("line" if ascii_only else "dots", style="changed")

    def begin(self, step: StepRef) -> None:
        self.step, self.since, self.progress = step, time.monotonic(), None

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        if self.step is None:
            return
        row = Table.grid(padding=(0, 1))
        cells: list[object] = [Text("  "), self._spinner, Text(one_line(self.step.name), style="bold", no_wrap=True)]
        if self.progress is not None:
            if self.progress.total:
                cells.append(ProgressBar(total=self.progress.total, completed=self.progress.done, width=24))
            cells.append(Text(progress_text(self.progress), style="dim", no_wrap=True))
        cells.append(Text(duration(time.monotonic() - self.since), style="dim", no_wrap=True))
        row.add_row(*cells)  # type: ignore[arg-type]  # rich's own name for "anything it can show" is not exported
        yield row


class LiveTerminal:
    """Prints lines above a live display."""

    def __init__(self, stream: TextIO, display: DisplayOptions) -> None:
        self._console = Console(file=stream, theme=_THEME, highlight=False, markup=False, emoji=False, soft_wrap=True)
        self._narrator = narrator(display)
        self._running = _Running(ascii_only=display.signs is ASCII)
        self._live: Live | None = None

    def accept(self, event: Event, /) -> None:
        """Print what the event tells, and keep the display below up to date."""
        match event.body:
            case StepStarted(step=step) if step.uses not in GROUPS:
                self._running.begin(step)
                self._start()
            case StepProgressed():
                self._running.progress = event.body
            case StepEnded(step=step) if step.uses not in GROUPS:
                self._running.step = None
            case RunEnded():
                self._stop()
            case Asked():
                self._start()
            case _:
                pass
        for line in self._narrator.lines(event):
            self._console.print(_text(line))

    def pause(self) -> None:
        """Take the display away, so that a question can be asked; the next step brings it back."""
        self._stop()

    def close(self) -> None:
        """Leave the terminal as it was."""
        self._stop()

    def _start(self) -> None:
        if self._live is None:
            self._live = Live(
                self._running,
                console=self._console,
                refresh_per_second=_REFRESH_HZ,
                transient=True,
                redirect_stdout=False,
                redirect_stderr=False,
            )
            self._live.start()

    def _stop(self) -> None:
        if self._live is not None:
            self._live.stop()
            self._live = None


def _text(line: Line) -> Text:
    text = Text(no_wrap=False, overflow="fold")
    for part, style in line:
        text.append(part, style=style or None)
    return text
