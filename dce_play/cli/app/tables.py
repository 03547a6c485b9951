"""Tables and pages of text on standard output: how wide they may be, which signs and whether colours can be shown."""

import os
import sys
from collections.abc import Iterable, Iterator
from contextlib import contextmanager

import click

from dce_play.history.columns import plain
from dce_play.system.masked_output import forget_descriptor, painted


def can_show_signs() -> bool:
    """Return whether standard output can show more than ASCII."""
    return (sys.stdout.encoding or "").lower().startswith("utf")


def room(*, piped: int) -> int:
    """Return how many cells a line may have: the terminal's, or ``piped`` where there is none."""
    if not sys.stdout.isatty():
        return piped
    import shutil  # start-up time: it knows archives and compression

    return shutil.get_terminal_size().columns


def coloured(text: str, colour: str) -> str:
    """Return the text in a colour, where standard output is a terminal that wants colours."""
    wanted = sys.stdout.isatty() and not os.environ.get("NO_COLOR") and os.environ.get("TERM") != "dumb"
    return click.style(text, fg=colour) if wanted else text


def print_lines(lines: Iterable[str]) -> None:
    """Print clean lines, which may have colours of our own in them. The reader may leave."""
    with reader_may_leave():
        for line in lines:
            click.echo(line if can_show_signs() else plain(line), file=painted(sys.stdout))


@contextmanager
def reader_may_leave() -> Iterator[None]:
    """Print in the block. A reader that goes away, as in ``| head``, has what it wanted: only the block ends.

    For commands whose exit code is a verdict of its own, which is not to become that of a failure.
    """
    try:
        yield
        sys.stdout.flush()
    except BrokenPipeError:
        forget_descriptor(1)
