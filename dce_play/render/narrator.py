"""Who turns events into lines for people, by how much they want to read."""

from collections.abc import Iterator
from typing import Protocol

from dce_play.errors import ExitCode
from dce_play.events import Event, RunEnded
from dce_play.render.lines import Line
from dce_play.render.narrate import Narrator
from dce_play.render.page.display import DisplayOptions
from dce_play.render.page.page import Page

_WELL = frozenset({ExitCode.OK, ExitCode.CHANGES_PENDING})


class Narrates(Protocol):
    """Folds events into lines."""

    def lines(self, event: Event, /) -> Iterator[Line]:
        """Yield the lines that tell of the event; often none."""


def narrator(display: DisplayOptions, /) -> Narrates:
    """Return the page, every line with ``-v``, or with ``-q`` what says nothing until a run has failed."""
    if display.quiet or (display.brief and not display.verbosity):
        return Quiet(display)
    return Narrator(display) if display.verbosity else Page(display)


class Quiet:
    """Says nothing of a run that went well, or its last line; of any other its page, when it is over."""

    def __init__(self, display: DisplayOptions) -> None:
        self._page = Page(display)
        self._brief = display.brief and not display.quiet
        self._held: list[Line] = []

    def lines(self, event: Event, /) -> Iterator[Line]:
        """Yield nothing, or at the end of a failed run the whole page."""
        lines = list(self._page.lines(event))
        self._held += lines
        if not isinstance(event.body, RunEnded):
            return
        if event.body.exit_code not in _WELL:
            yield from self._held
        elif self._brief:
            yield from (line for line in lines if line)
