"""What a monitor is told: one state of one run."""

import msgspec

from dce_play.host.monitoring.config import State


class Note(msgspec.Struct, frozen=True, kw_only=True):
    """The facts and the words. Nothing in it is a secret."""

    state: State
    title: str
    """One line."""
    text: str
    """The recap, several lines."""
    playbook: str
    run: str = ""
    """The run's id; empty when it could not begin."""
    exit_code: int | None = None
    """``None`` while it runs, and when it was killed."""
    host: str = ""


class NotTaken(Exception):
    """A monitor did not take a note; the text says why, and never holds an address."""
