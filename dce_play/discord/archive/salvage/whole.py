"""The whole messages of an export that may be cut off anywhere, as if the exporter had ended it there.

    with open_whole(export) as whole:
        append(archive, [whole.channel], …)

Nothing is written: the bytes after the last whole message are hidden under a trailer.
"""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from dce_play.discord.archive.salvage.repair import Boundary, find_boundary
from dce_play.discord.archive.scan.channel_bytes import ChannelBytes
from dce_play.system.durable.disk import REAL


@dataclass(frozen=True, slots=True, kw_only=True)
class WholeExport:
    """An export up to its last whole message."""

    channel: ChannelBytes
    boundary: Boundary


@contextmanager
def open_whole(export: Path) -> Iterator[WholeExport]:
    """Open an export as if it ended after its last whole message. Reads all of it once.

    Raises: NothingToRecover, when it is no export or is cut off before one can tell of which channel; OSError.
    """
    boundary = find_boundary(export)
    descriptor = REAL.open(export, os.O_RDONLY)
    try:
        size_bytes = REAL.facts(descriptor).size_bytes
        channel = ChannelBytes(export, descriptor, size_bytes)
        if not boundary.complete:
            trailer = boundary.envelope.trailer
            channel = ChannelBytes(export, descriptor, boundary.cut + len(trailer), tail=trailer)
        yield WholeExport(channel=channel, boundary=boundary)
    finally:
        REAL.close(descriptor)
