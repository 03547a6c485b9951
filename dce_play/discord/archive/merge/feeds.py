"""The messages of one file in order of their ids, as a merge takes them: in stretches of raw bytes.

An ordered file is read block by block. Of any other one the ids and places are gathered first (20 bytes a message),
then its messages are read one by one.
"""

import heapq
from array import array
from bisect import bisect_left
from collections.abc import Iterator
from itertools import islice
from operator import lt
from typing import Protocol

from dce_play.discord.archive.scan.channel_bytes import ChannelBytes
from dce_play.discord.archive.scan.frame import Frame, Preamble
from dce_play.discord.archive.scan.scanner import Block, Scanner
from dce_play.discord.archive.scan.tokens import skip_space

NO_ID = 1 << 64
"""Above every id: what a feed at its end gives as its next."""
_SORTED_AT_ONCE = 1 << 16


class NotOrdered(Exception):
    """A file with an id that is not greater than the one before it."""

    def __init__(self, source: ChannelBytes) -> None:
        super().__init__(source.path)
        self.source = source


class Feed(Protocol):
    """One file's messages, smallest id first. Look at some with ``view``, then ``skip`` them."""

    @property
    def next_id(self) -> int:
        """The id of the next message; ``NO_ID`` at the end."""

    @property
    def frame(self) -> Frame:
        """What stands around the messages; known at the end."""

    def view(self, count: int, /) -> memoryview | bytes:
        """Return the next messages as they stand in the file, commas between them. Good until the next ``skip``."""

    def skip(self, count: int, /) -> None:
        """Go on behind the next messages."""


class OrderedFeed:
    """A file whose ids strictly increase. Making one and ``skip`` raise NotOrdered where they do not."""

    def __init__(self, source: ChannelBytes, preamble: Preamble, *, chunk_bytes: int | None = None) -> None:
        self._source = source
        self._scan = Scanner(source, preamble, chunk_bytes=chunk_bytes)
        self._blocks = self._scan.blocks()
        self._last = -1
        self._block: Block | None = None
        self._places: list[tuple[int, int]] = []
        self._at = 0
        self._next_block()

    @property
    def next_id(self) -> int:
        return NO_ID if self._block is None else self._block.numbers[self._at]

    @property
    def frame(self) -> Frame:
        return self._scan.frame

    def ids_left(self) -> list[int]:
        """Return the ids that are left of the current block: so many can be viewed at once."""
        return [] if self._block is None else self._block.numbers[self._at :]

    def id_after(self, count: int) -> int:
        """Return the id of the message that many behind the next one, in the current block."""
        return -1 if self._block is None else self._block.numbers[self._at + count]

    def count_below(self, limit: int) -> int:
        """Return how many of those have ids below the limit."""
        return 0 if self._block is None else bisect_left(self._block.numbers, limit, self._at) - self._at

    def view(self, count: int, /) -> memoryview:
        block = self._block
        if block is None:
            return memoryview(b"")
        stop = self._at + count
        start = skip_space(block.data, 0) if self._at == 0 else self._place(block, self._at)[0]
        end = len(block.data) if stop == len(block.ids) else self._place(block, stop - 1)[1]
        return block.data[start:end]

    def skip(self, count: int, /) -> None:
        self._at += count
        if self._block is not None and self._at == len(self._block.ids):
            self._next_block()

    def _place(self, block: Block, index: int) -> tuple[int, int]:
        if not self._places:
            self._places = block.places()
        return self._places[index]

    def _next_block(self) -> None:
        self._block = next(self._blocks, None)
        self._places = []
        self._at = 0
        if self._block is not None:
            numbers = self._block.numbers
            if numbers[0] <= self._last or not all(map(lt, numbers, islice(numbers, 1, None))):
                raise NotOrdered(self._source)
            self._last = numbers[-1]


class IndexedFeed:
    """Any file, read whole before the first message is given; one at a time, equal ids in file order."""

    def __init__(self, source: ChannelBytes, preamble: Preamble, *, chunk_bytes: int | None = None) -> None:
        self._source = source
        self._ids, self._starts, self._sizes = array("Q"), array("Q"), array("I")
        scan = Scanner(source, preamble, chunk_bytes=chunk_bytes)
        for block in scan.blocks():
            self._ids.extend(block.numbers)
            for start, end in block.places():
                self._starts.append(block.start + start)
                self._sizes.append(end - start)
        self.frame = scan.frame
        self._order = self._in_order()
        self._at = next(self._order, None)

    @property
    def next_id(self) -> int:
        return NO_ID if self._at is None else self._ids[self._at]

    def view(self, _count: int, /) -> bytes:
        if self._at is None:
            return b""
        return self._source.read_at(self._sizes[self._at], self._starts[self._at])

    def skip(self, _count: int, /) -> None:
        self._at = next(self._order, None)

    def _in_order(self) -> Iterator[int]:
        """Yield the messages' indexes by id. Sorted in parts: a list of all of them would cost five times as much."""
        total = len(self._ids)
        parts = [
            array("Q", sorted(range(start, min(start + _SORTED_AT_ONCE, total)), key=self._ids.__getitem__))
            for start in range(0, total, _SORTED_AT_ONCE)
        ]
        return heapq.merge(*parts, key=self._ids.__getitem__)


def open_feed(source: ChannelBytes, preamble: Preamble, *, ordered: bool, chunk_bytes: int | None = None) -> Feed:
    """Return the file's messages in order of their ids.

    Raises: NotOrdered, DamagedFile.
    """
    if ordered:
        return OrderedFeed(source, preamble, chunk_bytes=chunk_bytes)
    return IndexedFeed(source, preamble, chunk_bytes=chunk_bytes)
