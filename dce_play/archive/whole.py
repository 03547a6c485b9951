"""The whole messages of an export that may be cut off anywhere, as if the exporter had ended it there.

    with open_whole(export) as whole:
        whole.message_count, whole.truncated
        append(archive, [whole.channel], …)

Nothing is written: the bytes after the last whole message are hidden under a trailer.
"""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from dce_play.archive.byte_source import ChannelSource
from dce_play.archive.channel_bytes import ChannelBytes
from dce_play.archive.damage import DamagedFile
from dce_play.archive.disk import REAL
from dce_play.archive.head import Head, head_of
from dce_play.archive.scanner import Scanner

_SPACE = b" \t\r\n"


@dataclass(frozen=True, slots=True, kw_only=True)
class WholeExport:
    """An export up to its last whole message."""

    channel: ChannelBytes
    head: Head
    message_count: int
    newest_first: bool
    """Whether it runs backwards; such an export is no prefix of anything."""
    damage: DamagedFile | None
    """What is wrong behind the last whole message; ``None`` for an export that is whole anyway."""


@contextmanager
def open_whole(export: Path) -> Iterator[WholeExport]:
    """Open an export as if it ended after its last whole message. Reads all of it once.

    Raises: DamagedFile, when it is cut off before its messages begin, or is no export; FileNotFoundError.
    """
    descriptor = REAL.open(export, os.O_RDONLY)
    try:
        raw = ChannelBytes(export, descriptor, REAL.facts(descriptor).size_bytes)
        head = head_of(ChannelSource(raw))
        yield _whole(raw, descriptor, head)
    finally:
        REAL.close(descriptor)


def _whole(raw: ChannelBytes, descriptor: int, head: Head) -> WholeExport:
    end, count, first, last = head.start, 0, 0, 0
    damage = None
    try:
        for block in Scanner(ChannelSource(raw)).blocks():
            end = block.end
            first = first if count else block.numbers[0]
            last = block.numbers[-1]
            count += len(block.numbers)
    except DamagedFile as error:
        damage = error
    channel = raw if damage is None else _ended(raw, descriptor, head, end=end, count=count)
    return WholeExport(channel=channel, head=head, message_count=count, newest_first=last < first, damage=damage)


def _ended(raw: ChannelBytes, descriptor: int, head: Head, *, end: int, count: int) -> ChannelBytes:
    """Return the bytes up to the end of the last whole message, and a trailer."""
    start = max(end - 4096, head.start)
    cut = start + len(raw.read_at(end - start, start).rstrip(_SPACE))
    newline = head.newline or b"\n"
    closing = newline + b"  ]" if count else b"]"
    trailer = closing + b"," + newline + b'  "messageCount": %d' % count + newline + b"}"
    return ChannelBytes(raw.path, descriptor, cut + len(trailer), tail=trailer)
