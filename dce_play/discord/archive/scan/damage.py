"""A file that cannot be read to its end, and where."""

import shlex
from enum import StrEnum
from pathlib import Path

from dce_play.errors import DcePlayError


class Damage(StrEnum):
    """What is wrong with a damaged file."""

    EMPTY = "empty"
    TRUNCATED = "truncated"
    """It ends before its end; every whole message can be salvaged."""
    NOT_JSON = "not-json"
    NOT_AN_EXPORT = "not-an-export"
    """JSON, or at least the start of it, but without a ``messages`` array or without a channel."""
    TRAILING = "trailing-bytes"
    """Something follows the end: a second document, or garbage."""
    NOT_A_MESSAGE = "not-a-message"
    """An element of ``messages`` that is no object with an id."""
    TOO_LARGE = "too-large"
    """One message, or what stands around the messages, is larger than we read at once."""


class DamagedFile(DcePlayError):
    """A channel file or an export that cannot be read to its end. ``offset`` is a byte offset in it."""

    def __init__(self, path: Path, *, offset: int, reason: str, damage: Damage = Damage.NOT_JSON) -> None:
        super().__init__(
            f"{path} is damaged at byte {offset}: {reason}",
            hint=f"look at it: dce-play archive audit {shlex.quote(str(path))}",
        )
        self.path = path
        self.offset = offset
        self.reason = reason
        self.damage = damage
