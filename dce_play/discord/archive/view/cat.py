"""A channel file's bytes for other programs: always whole, though an append may be under way."""

import re
from collections.abc import Iterator
from pathlib import Path

from dce_play.discord.archive.records.reader_safe import open_consistent
from dce_play.discord.archive.scan.scanner import Scanner
from dce_play.layout import TargetLayout
from dce_play.snowflake import MessageId

_LAYOUT = re.compile(rb"\r?\n[ \t]*")


def cat_file(path: Path, *, layout: TargetLayout) -> Iterator[bytes]:
    """Yield the file as it was between two appends, in blocks of at most 1 MiB. Its bytes are not checked.

    Raises: DamagedFile, FileNotFoundError.
    """
    with open_consistent(path, layout=layout) as channel:
        yield from channel.blocks(0, channel.size_bytes)


def cat_messages(
    path: Path, *, layout: TargetLayout, after: MessageId | None = None, until: MessageId | None = None
) -> Iterator[bytes]:
    """Yield each message on one line, in file order, in its own spelling; the line breaks between its keys left out.

    Only those with ids above ``after`` and not above ``until``, where these are given.
    Raises: DamagedFile, FileNotFoundError.
    """
    low = -1 if after is None else int(after)
    high = None if until is None else int(until)
    with open_consistent(path, layout=layout) as channel:
        for block in Scanner(channel).blocks():
            if block.numbers and (max(block.numbers) <= low or (high is not None and min(block.numbers) > high)):
                continue
            data = bytes(block.data)
            for number, (start, end) in zip(block.numbers, block.places(), strict=True):
                if low < number and (high is None or number <= high):
                    # A raw line break never stands inside a string, so none of the message's own bytes is lost.
                    yield _LAYOUT.sub(b"", data[start:end])
