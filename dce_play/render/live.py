"""The live display: coloured lines that scroll, and below them what is running at this moment. Imports rich."""

import time
from typing import TextIO

from rich.console import Console, ConsoleOptions, RenderResult
from rich.live import Live
from rich.text import Text
from rich.theme import Theme

from dce_play.events import GROUPS, Asked, Event, RunEnded, StepEnded, StepProgressed, StepRef, StepStarted
from dce_play.render.lines import Line, progress_text
from dce_play.render.narrator import narrator
from dce_play.render.page.display import DisplayOptions
from dce_play.render.page.fitting import Fitting
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
_FRAMES = "⠋⠙⠹⠸⠼⠴⠦⠧⠇⠏"
_FRAMES_ASCII = "-\\|/"


class _Running:
    """The bottom line: what is running, how far it is, and for how long."""

    def __init__(self, display: DisplayOptions) -> None:
        self._fit = Fitting(display)
        self._frames = _FRAMES_ASCII if display.signs is ASCII else _FRAMES
        self._steps: dict[str, tuple[StepRef, float]] = {}
        self._told: dict[str, str] = {}
        self._latest = ""

    def begin(self, step: StepRef) -> None:
        self._steps[step.id] = (step, time.monotonic())
        self._latest = step.id

    def tell(self, body: StepProgressed) -> None:
        self._told[body.step.id] = progress_text(body) if body.reached else ""
        if body.reached is None:
            self._told[body.step.id] = f"{one_line(body.step.name)}  {progress_text(body)}"
        self._latest = body.step.id

    def end(self, step: StepRef) -> None:
        self._steps.pop(step.id, None)
        self._told.pop(step.id, None)

    def line(self) -> str:
        """Return the line as it is now; empty while nothing runs."""
        if not self._steps:
            return ""
        identifier = self._latest if self._latest in self._steps else next(reversed(self._steps))
        step, since = self._steps[identifier]
        now = time.monotonic()
        frame = self._frames[int(now * _REFRESH_HZ) % len(self._frames)]
        right = f"  {duration(now - since)}"
        text = self._fit.spaced(self._told.get(identifier) or one_line(step.name))
        return f"{frame} {self._fit.cut(text, max(self._fit.width - 1 - len(right) - 2, 1))}{right}"

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        line = self.line()
        if line:
            yield Text(line, style="dim", no_wrap=True, overflow="crop")


class LiveTerminal:
    """Prints lines above a live display."""

    def __init__(self, stream: TextIO, display: DisplayOptions) -> None:
        self._console = Console(file=stream, theme=_THEME, highlight=False, markup=False, emoji=False, soft_wrap=True)
        self._narrator = narrator(display)
        self._running = _Running(display)
        self._live: Live | None = None

    def accept(self, event: Event, /) -> None:
        """Print what the event tells, and keep the display below up to date."""
        match event.body:
            case StepStarted(step=step) if step.uses not in GROUPS:
                self._running.begin(step)
                self._start()
            case StepProgressed():
                self._running.tell(event.body)
            case StepEnded(step=step) if step.uses not in GROUPS:
                self._running.end(step)
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
