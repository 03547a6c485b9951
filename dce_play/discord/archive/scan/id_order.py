"""The order of the ids of a file, followed block by block: where it breaks, and which ids come twice."""

import heapq
from array import array
from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import islice, pairwise
from operator import gt, lt

from dce_play.discord.archive.scan.scanner import Block

MAX_TOLD = 10
"""So many places are told of each kind; the rest is counted."""
_SORTED_AT_ONCE = 1 << 16


@dataclass(slots=True)
class IdOrder:
    """The ids of a stretch of a file, in a few numbers. Two of neighbouring stretches make one."""

    count: int = 0
    first: int | None = None
    last: int | None = None
    increasing: bool = True
    """Every id is greater than the one before."""
    decreasing: bool = True
    """Every id is smaller than the one before."""
    breaks: list[tuple[int, int]] = field(default_factory=list)
    """The first messages that are smaller than the one before: offset and id."""
    break_count: int = 0

    def add(self, block: Block) -> None:
        """Go on with the next block."""
        numbers = block.numbers
        if not numbers:
            return
        joined = self.last is None or self.last < numbers[0]
        if not (joined and all(map(lt, numbers, islice(numbers, 1, None)))):
            self._add_breaks(block)
        if self.decreasing:
            self.decreasing = (self.last is None or self.last > numbers[0]) and all(
                map(gt, numbers, islice(numbers, 1, None))
            )
        self.first = numbers[0] if self.first is None else self.first
        self.last = numbers[-1]
        self.count += len(numbers)

    def join(self, other: "IdOrder", offset: int) -> None:
        """Go on with the stretch that follows, which starts at this offset."""
        if other.first is None:
            return
        if self.last is not None:
            self.increasing = self.increasing and self.last < other.first
            self.decreasing = self.decreasing and self.last > other.first
            if other.first < self.last:
                self._break(offset, other.first)
        self.increasing = self.increasing and other.increasing
        self.decreasing = self.decreasing and other.decreasing
        self.breaks = (self.breaks + other.breaks)[:MAX_TOLD]
        self.break_count += other.break_count
        self.first = other.first if self.first is None else self.first
        self.last = other.last
        self.count += other.count

    def _add_breaks(self, block: Block) -> None:
        self.increasing = False
        before = block.numbers[0] if self.last is None else self.last
        chain = [before, *block.numbers]
        places = block.places()
        for index, (one, other) in enumerate(pairwise(chain)):
            if other < one:
                self._break(block.start + places[index][0], other)

    def _break(self, offset: int, identifier: int) -> None:
        self.break_count += 1
        if len(self.breaks) < MAX_TOLD:
            self.breaks.append((offset, identifier))


def repeated_ids(ids: "array[int]") -> Iterator[int]:
    """Yield each id that comes more than once, as often as it comes too often. Sorts in parts to spare memory."""
    parts = [array("Q", sorted(ids[start : start + _SORTED_AT_ONCE])) for start in range(0, len(ids), _SORTED_AT_ONCE)]
    for one, other in pairwise(heapq.merge(*parts)):
        if one == other:
            yield one
