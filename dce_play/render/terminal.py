"""The run for people: ``terminal()`` chooses between a live display, coloured lines and plain lines."""

import os
import sys
from collections.abc import Mapping
from dataclasses import replace
from functools import cache
from typing import BinaryIO, Protocol, TextIO, runtime_checkable

from dce_play.events import Event, Sink
from dce_play.render.narrator import narrator
from dce_play.render.page.display import DEFAULT_DISPLAY, DisplayOptions
from dce_play.render.text import ASCII, UNICODE, Signs
from dce_play.system.masked_output import forget_descriptor, painted


@runtime_checkable
class Pausable(Protocol):
    """A sink that draws on the terminal and must step aside for a question."""

    def pause(self) -> None:
        """Take the display away until the next event brings it back."""


class PlainTerminal:
    """Lines of text without colour: for pipes, logs and terminals that ask for it."""

    def __init__(self, stream: TextIO, display: DisplayOptions) -> None:
        self._stream = stream
        self._narrator = narrator(display)

    def accept(self, event: Event, /) -> None:
        """Print what the event tells."""
        for line in self._narrator.lines(event):
            self._stream.write("".join(text for text, _ in line).rstrip() + "\n")
        self._stream.flush()

    def close(self) -> None:
        """Nothing is left to print."""


class SpareTerminal:
    """Shows the run on standard output, and on standard error from when that can take no more.

    A reader that has gone away, as in ``| head``, wants no more: then the events end.
    """

    def __init__(self, first: Sink, spare: TextIO, display: DisplayOptions = DEFAULT_DISPLAY) -> None:
        self._shown = first
        self._spare: TextIO | None = spare
        self._display = display

    def accept(self, event: Event, /) -> None:
        """Show what the event tells.

        Raises: OSError, when neither can take it.
        """
        try:
            self._shown.accept(event)
        except BrokenPipeError:
            raise
        except OSError as error:
            if self._spare is None:
                raise
            self._shown = PlainTerminal(self._spare, _display_on(self._spare, self._display))
            forget_descriptor(1)  # what waits in its buffer goes nowhere, and fails no more
            self._spare.write(f"warning: standard output is lost ({error.strerror or error}); the run is told here\n")
            self._spare = None
            self._shown.accept(event)

    def pause(self) -> None:
        """Step aside for a question."""
        if isinstance(self._shown, Pausable):
            self._shown.pause()

    def close(self) -> None:
        """Close what shows it now."""
        self._shown.close()


def signs_for(stream: TextIO) -> Signs:
    """Return the signs that the stream's encoding can show."""
    try:
        "✓±✗↺▸│…─↻".encode(stream.encoding or "ascii")
    except (UnicodeEncodeError, LookupError):
        return ASCII
    return UNICODE


def terminal(stream: TextIO, environment: Mapping[str, str], display: DisplayOptions = DEFAULT_DISPLAY) -> Sink:
    """Return the sink for people on this stream; ``display`` says what they asked for.

    Live and in colour on a terminal; plain elsewhere, with ``TERM=dumb``, and with ``NO_COLOR`` set. Unless it is a
    terminal, rich is not even imported.
    """
    plain = not display.colour or environment.get("TERM") == "dumb" or bool(environment.get("NO_COLOR"))
    shown = _display_on(stream, display)
    if plain or not stream.isatty():
        return PlainTerminal(stream, shown)
    from dce_play.render.live import LiveTerminal  # imports rich, 50 ms, which only a terminal needs

    return LiveTerminal(painted(stream), replace(shown, progress=False))


def _display_on(stream: TextIO, display: DisplayOptions) -> DisplayOptions:
    """Return the display with what this stream is: its width and height, and what it can write.

    ``COLUMNS`` and ``LINES`` count more than what the terminal says; without a terminal a page has 80 x 24.
    """
    columns, lines = _size(stream)
    return replace(
        display,
        signs=signs_for(stream),
        encoding=stream.encoding or "ascii",
        width=columns,
        height=lines,
        breaks=stream.isatty(),
    )


def _size(stream: TextIO) -> tuple[int, int]:
    try:
        found = os.get_terminal_size(stream.fileno())
    except (OSError, ValueError):
        found = os.terminal_size((0, 0))
    return _given("COLUMNS") or found.columns or 80, _given("LINES") or found.lines or 24


def _given(name: str) -> int:
    text = os.environ.get(name, "")
    return int(text) if text.isascii() and text.isdigit() else 0


@cache
def machine_output() -> TextIO:
    """Return standard output for events alone: whatever else prints, a step say, does so on standard error."""
    sys.stdout.flush()
    number = sys.stdout.fileno()
    alone = os.fdopen(os.dup(number), "w", encoding="utf-8", errors="replace")
    os.dup2(sys.stderr.fileno(), number)
    return alone


def data_output() -> BinaryIO:
    """Return standard output for data that is handed on as it is: neither masked nor made readable. Close it."""
    sys.stdout.flush()
    return os.fdopen(os.dup(sys.stdout.fileno()), "wb")


def standard_output() -> TextIO:
    """Return standard output, made to replace what its encoding cannot show instead of failing."""
    sys.stdout.reconfigure(errors="replace")  # type: ignore[union-attr]  # always a TextIOWrapper in a program of ours
    return sys.stdout
