"""Who turns events into lines for people, by how much they want to read."""

from collections.abc import Iterator
from typing import Protocol

from dce_play.events import Event, RunEnded
from dce_play.render.lines import Line
from dce_play.render.page.display import DisplayOptions
from dce_play.render.page.last_lines import ended_well
from dce_play.render.page.page import Page


class Narrates(Protocol):
    """Folds events into lines."""

    def lines(self, event: Event, /) -> Iterator[Line]:
        """Yield the lines that tell of the event; often none."""


def narrator(display: DisplayOptions, /) -> Narrates:
    """Return the page, every line with ``-v``, what failed with ``-q``, or for a rehearsal the last line."""
    if display.quiet:
        from dce_play.render.page.failures import Failures  # start-up time: most runs show the page

        return Failures(display)
    if display.verbosity:
        from dce_play.render.narrate import Narrator  # start-up time, as above

        return Narrator(display)
    return Brief(display) if display.brief else Page(display)


class Brief:
    """Says the last line of a run that went well; of any other its page, when it is over."""

    def __init__(self, display: DisplayOptions) -> None:
        self._page = Page(display)
        self._held: list[Line] = []

    def lines(self, event: Event, /) -> Iterator[Line]:
        """Yield nothing until the run's end."""
        lines = list(self._page.lines(event))
        self._held += lines
        if isinstance(event.body, RunEnded):
            yield from (line for line in lines if line) if ended_well(event.body) else self._held
