"""A limit of bytes a second over all uploads, fixed or by the time of day, and the pacing that keeps it."""

import re
import threading
from collections.abc import Callable, Iterator
from datetime import datetime

import msgspec

from dce_play.system.clock import Clock
from dce_play.system.quantities import parse_size

LARGEST_PIECE = 256 << 10
_TIME = re.compile(r"([01][0-9]|2[0-3]):([0-5][0-9])\Z", re.ASCII)


class Timetable(msgspec.Struct, frozen=True):
    """Limits by minutes after midnight, local time, in order; the last one holds on past midnight. 0 is no limit."""

    entries: tuple[tuple[int, int], ...]

    def limit_at(self, moment: datetime) -> int:
        """Return the bytes a second at a local time; 0 for no limit."""
        minute = moment.hour * 60 + moment.minute
        passed = [limit for start, limit in self.entries if start <= minute]
        return passed[-1] if passed else self.entries[-1][1]

    @property
    def unlimited(self) -> bool:
        return not any(limit for _, limit in self.entries)


def parse_limit(text: str) -> Timetable:
    """Return the timetable in ``512KiB``, ``0``, ``off`` or ``08:00,512KiB 19:00,off``.

    Raises: ValueError.
    """
    words = text.split()
    if len(words) == 1 and "," not in words[0]:
        return Timetable(((0, _bytes(words[0])),))
    entries = []
    for word in words:
        time, comma, size = word.partition(",")
        found = _TIME.match(time)
        if found is None or not comma:
            raise ValueError(f'"{word}" is no entry of a timetable such as "08:00,512KiB 19:00,off"')
        entries.append((int(found[1]) * 60 + int(found[2]), _bytes(size)))
    if not entries:
        raise ValueError('a size, or a timetable such as "08:00,512KiB 19:00,off"')
    if len({start for start, _ in entries}) < len(entries):
        raise ValueError("the timetable has a time twice")
    return Timetable(tuple(sorted(entries)))


def _bytes(text: str) -> int:
    return 0 if text == "off" else parse_size(text)


class Pacer:
    """Lets pieces through at the limit's pace, from any number of threads.

    A piece waits until all before it have had their time, so no two seconds ever see more than twice the limit and
    one piece, which is small where the limit is.
    """

    def __init__(self, table: Timetable, *, clock: Clock, local: Callable[[], datetime]) -> None:
        self._table = table
        self._clock = clock
        self._local = local
        self._free_at = 0.0
        self._lock = threading.Lock()

    def pieces(self, data: bytes, moved: Callable[[int], None]) -> Iterator[bytes]:
        """Yield the data in pieces, each when it may go; ``moved`` is told of each, and may raise to stop."""
        view = memoryview(data)
        while view:
            limit = 0 if self._table.unlimited else self._table.limit_at(self._local())
            size = LARGEST_PIECE if not limit else max(1, min(LARGEST_PIECE, limit // 32))
            piece, view = view[:size], view[size:]
            self._wait(len(piece), limit, moved)
            moved(len(piece))
            yield bytes(piece)

    def _wait(self, size: int, limit: int, moved: Callable[[int], None]) -> None:
        if not limit:
            return
        with self._lock:
            begin = max(self._clock.monotonic(), self._free_at)
            self._free_at = begin + size / limit
        while (left := begin - self._clock.monotonic()) > 0:
            self._clock.sleep(min(left, 0.5))
            moved(0)
