"""The names of channel files: how a new one is called, and how any path is shown to people."""

import os
import re
import unicodedata
from pathlib import Path

from dce_play.snowflake import ChannelId

MAX_NAME_BYTES = 224
"""Of a new name, in UTF-8. File systems take 255; the rest is for the temporaries written beside a channel file."""

_FORBIDDEN = re.compile(r"[/\\]+|[:*?\"<>|]")
_DIRECTION_MARKS = frozenset("\u200e\u200f\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069")


def new_file_name(guild: str, category: str, channel: str, *, channel_id: ChannelId) -> str:
    """Return the name of a channel's new file: ``Guild - Category - Channel [id].json``.

    Parts that are empty are left out. A name that would be too long loses characters from its longest parts; the id
    is always whole.
    """
    suffix = f" [{channel_id}].json"
    parts = [part for part in map(_escape, (guild, category, channel)) if part] or ["channel"]
    room = MAX_NAME_BYTES - len(suffix) - len(" - ") * (len(parts) - 1)
    while sum(map(_size, parts)) > room:
        longest = max(range(len(parts)), key=lambda index: _size(parts[index]))
        parts[longest] = parts[longest][:-1]
    return " - ".join(part.rstrip(" .") for part in parts) + suffix


def name_in(path: Path | None, /) -> str:
    """Return the channel's name as its file name has it; empty where it has none."""
    if path is None or " [" not in path.stem:
        return ""
    return path.stem.rpartition(" [")[0].rpartition(" - ")[2]


def shown(path: Path | str) -> str:
    """Return a path as text that is safe to print: one line, no control characters, always encodable."""
    text = os.fsencode(path).decode("utf-8", "backslashreplace")
    return "".join(_shown_character(character) for character in text)


def _escape(part: str) -> str:
    """Make one part safe on every common file system, and unable to hide the file."""
    part = _FORBIDDEN.sub("_", part)
    part = "".join(_kept(character) for character in part)
    return " ".join(part.split()).strip(" .")


def _kept(character: str) -> str:
    if character in _DIRECTION_MARKS:
        return ""
    match unicodedata.category(character):
        case "Cc":
            return " "
        case "Cs":
            return "_"
        case _:
            return character


def _size(text: str) -> int:
    return len(text.encode())


def _shown_character(character: str) -> str:
    hidden = character in _DIRECTION_MARKS or unicodedata.category(character) in {"Cc", "Zl", "Zp"}
    return character.encode("unicode_escape").decode("ascii") if hidden else character
