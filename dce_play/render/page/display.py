"""How much of a run is shown, and where: the width and height of a screen, its encoding, its signs."""

from dataclasses import dataclass

from dce_play.render.pace import PROGRESS_EVERY_S
from dce_play.render.text import UNICODE, Signs


@dataclass(frozen=True, slots=True, kw_only=True)
class DisplayOptions:
    """How much to tell."""

    signs: Signs = UNICODE
    verbosity: int = 0
    """0 is the page; 1 every line, as the log file has them; 2 what steps gave on as well."""
    quiet: bool = False
    """Nothing of a run that went well, and of any other only what failed."""
    colour: bool = True
    diff: bool = False
    progress: bool = True
    """Tell progress as lines; the live display shows it in place instead."""
    progress_every_s: float = PROGRESS_EVERY_S
    """Seconds between two such lines."""
    width: int = 100
    """Cells in a line."""
    height: int = 24
    """Lines on a page."""
    encoding: str = "utf-8"
    """What the output is written in; a character that it lacks is written out, and measured so."""
    breaks: bool = False
    """Whether a command that is wider than the screen is written over several lines, as a shell reads them."""
    folder: str = ""
    """The working folder: paths below it are told without it."""
    again: str = ""
    """Options that a printed ``runs`` command needs to find this run, after a space."""
    brief: bool = False
    """Of a run that went well only its last line."""
    staged: bool = False
    """Whether all is gone afterwards, so that no command is printed that would need it."""


DEFAULT_DISPLAY = DisplayOptions()
