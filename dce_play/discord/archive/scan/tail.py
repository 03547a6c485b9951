"""The end of a channel file: where new messages go, and what to write after them.

The trailer is ``]``, perhaps ``"messageCount": N``, then ``}``. It holds no other ``]``, so the last one of the file is
found without reading more than the last few kilobytes.
"""

import re
import shlex
from dataclasses import dataclass
from pathlib import Path

from dce_play.discord.archive.scan.channel_bytes import ChannelBytes
from dce_play.discord.archive.scan.strict_json import strict_value
from dce_play.errors import DcePlayError
from dce_play.snowflake import MessageId, is_number

WINDOW_BYTES = 16 << 10
MAX_WINDOW_BYTES = 32 << 20
"""The last message and what follows it, each as large as an archive takes it."""
_TRAILER = re.compile(rb'\](?:\s*,\s*"messageCount"\s*:\s*(?P<count>[0-9]+))?\s*\}\s*', re.ASCII)
_EMPTY_ARRAY = re.compile(rb'"messages"\s*:\s*\[\Z', re.ASCII)
_SPACE = b" \t\r\n"
_MESSAGE_START = b"\n    {"
_MAX_TRIES = 64
"""A message in another layout may hold lines that look like a message's start; so many are tried."""


class NotCanonical(DcePlayError):
    """A channel file whose end cannot be appended to as it is."""

    def __init__(self, path: Path, reason: str, *, whole: bool = False) -> None:
        advice = f"dce-play archive normalise {shlex.quote(str(path))}"
        if not whole:
            advice = f"dce-play archive audit {shlex.quote(str(path))}; if it is sound: {advice}"
        super().__init__(f"{path} cannot be appended to: {reason}", hint=advice)
        self.path = path
        self.reason = reason
        self.whole = whole
        """Whether the file looks complete and only its layout is in the way."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Tail:
    """The end of one channel file."""

    cut: int
    """Offset just past the last message, or past the ``[`` of an empty array: where the payload goes."""
    old: bytes
    """The bytes from the cut to the end."""
    last_id: MessageId | None
    """Id of the message that stands last; ``None`` for an empty array. Not the greatest in an unsorted file."""
    stated_count: int | None
    """What ``messageCount`` says; ``None`` where the file has none."""

    @property
    def newline(self) -> bytes:
        return b"\r\n" if b"\r\n" in self.old else b"\n"

    @property
    def indent(self) -> bytes:
        """What stands before a message on its line, with the line break."""
        return self.newline + b"    "

    @property
    def separator(self) -> bytes:
        """What comes between two messages."""
        return b"," + self.indent

    def opening(self) -> bytes:
        """Return what comes between the cut and the first new message."""
        return self.indent if self.last_id is None else self.separator

    def closing(self, message_count: int) -> bytes:
        """Return the trailer to write after the new messages, in the style of the old one."""
        trailer = self.old.lstrip(_SPACE)
        found = _TRAILER.fullmatch(trailer)
        if found is not None and found["count"] is not None:
            trailer = trailer[: found.start("count")] + b"%d" % message_count + trailer[found.end("count") :]
        return self.newline + b"  " + trailer


def read_tail(channel: ChannelBytes) -> Tail:
    """Return the end of a channel file. Reads the last 16 KiB, and more only for a longer last message.

    Raises: NotCanonical, when nothing can be appended there.
    """
    window_bytes = WINDOW_BYTES
    while True:
        base = max(channel.size_bytes - window_bytes, 0)
        window = channel.read_at(channel.size_bytes - base, base)
        tail = _tail_in(channel.path, window, base)
        if tail is not None:
            return tail
        if base == 0 or window_bytes >= MAX_WINDOW_BYTES:
            raise NotCanonical(channel.path, "no message starts on a line of its own before the trailer", whole=True)
        window_bytes *= 2


def _tail_in(path: Path, window: bytes, base: int) -> Tail | None:
    """Return the tail, or ``None`` when the last message may start before the window."""
    bracket = window.rfind(b"]")
    found = _TRAILER.fullmatch(window, bracket) if bracket >= 0 else None
    if found is None:
        raise NotCanonical(path, "it does not end with the trailer of a message array")
    end = len(window[:bracket].rstrip(_SPACE))
    stated = None if found["count"] is None else int(found["count"])
    match window[end - 1 : end]:
        case b"[" if _EMPTY_ARRAY.search(window, max(end - 64, 0), end):
            return Tail(cut=base + end, old=window[end:], last_id=None, stated_count=stated)
        case b"}":
            last_id = _last_id(window, end)
        case _:
            raise NotCanonical(path, "what stands before the trailer is neither a message nor an empty array")
    if window[end:bracket] not in {b"\n  ", b"\r\n  "}:
        raise NotCanonical(path, "its layout is not the exporter's", whole=True)
    if last_id is None:
        return None
    return Tail(cut=base + end, old=window[end:], last_id=last_id, stated_count=stated)


def _last_id(window: bytes, end: int) -> MessageId | None:
    """Return the id of the message that ends at ``end``; only the whole message parses up to exactly there."""
    start = end
    for _ in range(_MAX_TRIES):
        start = window.rfind(_MESSAGE_START, 0, start)
        if start < 0:
            return None
        try:
            identifier = strict_value(window[start:end]).get("id")
        except ValueError:
            continue
        return MessageId(identifier) if isinstance(identifier, str) and is_number(identifier) else None
    return None
