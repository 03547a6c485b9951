"""Header and trailer for a new file: another's bytes, with only the values changed that must be."""

from collections.abc import Mapping
from dataclasses import dataclass

from dce_play.discord.archive.scan.frame import Frame, Preamble
from dce_play.discord.archive.scan.tokens import Member, members_until


@dataclass(frozen=True, slots=True, kw_only=True)
class Envelope:
    """What to write before and after the messages."""

    header: bytes
    """Up to and including the ``[``."""
    trailer: bytes
    """From just past the last message on."""


@dataclass(frozen=True, slots=True)
class Style:
    """How a file is laid out. ``opening`` is the white space before a message; without a line break it is minified."""

    opening: bytes

    @property
    def newline(self) -> bytes:
        return b"\r\n" if b"\r\n" in self.opening else b"\n" if b"\n" in self.opening else b""

    @property
    def closing(self) -> bytes:
        """The white space before the ``]``: one level less than before a message."""
        indentation = self.opening.rpartition(b"\n")[2]
        return self.newline + indentation[: len(indentation) // 2]

    @property
    def separator(self) -> bytes:
        """What parts two messages."""
        return b"," + self.opening

    def count_member(self, message_count: int) -> bytes:
        """Return ``messageCount`` as a member, without its comma."""
        return self.closing + (b'"messageCount": %d' if self.newline else b'"messageCount":%d') % message_count


def style_of(preamble: Preamble, opening: bytes) -> Style:
    """Return a file's style; for one without messages it is guessed from the header."""
    if opening or b"\n" not in preamble.data:
        return Style(opening)
    return Style(b"\r\n    " if b"\r\n" in preamble.data else b"\n    ")


def envelope_like(
    frame: Frame, style: Style, *, message_count: int, dates: Mapping[str, bytes] | None = None
) -> Envelope:
    """Return a frame's bytes around another number of messages. ``dates`` are new values for keys of ``dateRange``.

    A count is stated only where one was stated before.
    """
    header = patched(frame.preamble.data, frame.preamble.members, message_count=message_count, dates=dates)
    trailer = patched(frame.trailer, frame.members, message_count=message_count, dates=dates)
    return Envelope(header=header, trailer=(style.closing if message_count else b"") + trailer)


def envelope_rebuilt(
    preamble: Preamble, style: Style, *, message_count: int, kept: bytes = b"", kept_members: tuple[Member, ...] = ()
) -> Envelope:
    """Return a header and a new trailer that states the count. ``kept`` is what is whole of the old trailer."""
    header = patched(preamble.data, preamble.members, message_count=message_count)
    trailer = (style.closing if message_count else b"") + b"]"
    trailer += patched(kept, kept_members, message_count=message_count)[1:]
    if not any(member.key == "messageCount" for member in (*preamble.members, *kept_members)):
        trailer += b"," + style.count_member(message_count)
    return Envelope(header=header, trailer=trailer + style.newline + b"}")


def patched(
    data: bytes, members: tuple[Member, ...], *, message_count: int, dates: Mapping[str, bytes] | None = None
) -> bytes:
    """Return bytes with the members' ``messageCount`` and dates replaced."""
    changes: list[tuple[int, int, bytes]] = []
    dates = dates or {}
    for member in members:
        if member.key == "messageCount":
            changes.append((member.start, member.end, b"%d" % message_count))
        if member.key == "dateRange" and data[member.start : member.start + 1] == b"{":
            changes.extend(
                (date.start, date.end, dates[date.key])
                for date in members_until(data[: member.end], member.start + 1, stop_key="")
                if date.key in dates
            )
    for start, end, value in reversed(changes):
        data = data[:start] + value + data[end:]
    return data
