"""Finding messages by id in a channel file: by halving where the ids are in order, else by reading all of it."""

import contextlib
import re
from collections.abc import Set as AbstractSet

from dce_play.discord.archive.scan.channel_bytes import ChannelBytes
from dce_play.discord.archive.scan.damage import DamagedFile
from dce_play.discord.archive.scan.spans import message_blocks

_NEAR_BYTES = 256 << 10
_PROBE_BYTES = 64 << 10
_MESSAGE_START = re.compile(rb',\r?\n    \{\r?\n      "id": "(?P<id>[0-9]{1,20})"', re.ASCII)


def find_messages(
    channel: ChannelBytes, start: int, cut: int, *, wanted: AbstractSet[int], ordered: bool
) -> dict[int, tuple[int, int]]:
    """Return where the wanted messages stand; an id that stands twice counts where it stands first.

    A message that halving does not find is looked for in the whole file: only reading proves that one is missing.

    Raises: DamagedFile.
    """
    if ordered and wanted:
        near = _before(channel, start, cut, min(wanted))
        # A start that was guessed wrong reads as damage; only the whole file's word counts.
        with contextlib.suppress(DamagedFile):
            found = _read(channel, near, cut, wanted=wanted, until=max(wanted))
            if len(found) == len(wanted):
                return found
    return _read(channel, start, cut, wanted=wanted, until=None)


def _before(channel: ChannelBytes, start: int, cut: int, identifier: int) -> int:
    """Return the start of a stretch of messages that holds the id, if the file does."""
    low, high = start, cut
    while high - low > _NEAR_BYTES:
        middle = (low + high) // 2
        probe = _MESSAGE_START.search(channel.read_at(_PROBE_BYTES, middle))
        if probe is None:  # a message longer than the probe, or in another layout
            return low
        if int(probe["id"]) <= identifier:
            low = middle + probe.start() + 1
        else:
            high = middle
    return low


def _read(
    channel: ChannelBytes, start: int, cut: int, *, wanted: AbstractSet[int], until: int | None
) -> dict[int, tuple[int, int]]:
    found: dict[int, tuple[int, int]] = {}
    for block in message_blocks(channel, start, cut):
        if not wanted.isdisjoint(block.numbers):
            for number, (first, last) in zip(block.numbers, block.places(), strict=True):
                if number in wanted:
                    found.setdefault(number, (block.start + first, block.start + last))
        if until is not None and block.numbers and block.numbers[-1] >= until:
            break
    return found
