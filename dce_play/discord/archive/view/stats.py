"""Figures of one channel file: how many messages, from when to when, how large."""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from dce_play.discord.archive.records.reader_safe import open_consistent
from dce_play.discord.archive.scan.head import Head, head_of
from dce_play.discord.archive.scan.scanner import Scanner
from dce_play.layout import TargetLayout
from dce_play.snowflake import MessageId, snowflake_time


@dataclass(frozen=True, slots=True, kw_only=True)
class FileStats:
    """Figures of one channel file."""

    path: Path
    head: Head
    size_bytes: int
    message_count: int
    message_bytes: int
    """Of the messages alone, with what stands between them."""
    first_id: MessageId | None
    """The smallest id by value."""
    last_id: MessageId | None
    """The greatest."""
    by_month: Mapping[str, int]
    """How many messages were sent in each month, UTC: ``2026-11`` → count. Sorted."""

    @property
    def mean_bytes(self) -> int:
        """The mean size of a message; 0 without messages."""
        return self.message_bytes // self.message_count if self.message_count else 0


def file_stats(path: Path, *, layout: TargetLayout) -> FileStats:
    """Read a channel file from end to end and return its figures. An append under way is not seen.

    Raises: DamagedFile, FileNotFoundError.
    """
    months: Counter[str] = Counter()
    count = size_bytes = 0
    least = greatest = None
    with open_consistent(path, layout=layout) as channel:
        source = channel
        head = head_of(source)
        for block in Scanner(source).blocks():
            if not block.numbers:
                continue
            low, high = min(block.numbers), max(block.numbers)
            least = low if least is None else min(least, low)
            greatest = high if greatest is None else max(greatest, high)
            _count_months(block.numbers, low, high, months)
            count += len(block.numbers)
            size_bytes += len(block.data)
        return FileStats(
            path=path,
            head=head,
            size_bytes=source.size_bytes,
            message_count=count,
            message_bytes=size_bytes,
            first_id=None if least is None else MessageId(str(least)),
            last_id=None if greatest is None else MessageId(str(greatest)),
            by_month=dict(sorted(months.items())),
        )


def _count_months(numbers: list[int], low: int, high: int, months: Counter[str]) -> None:
    """Count messages by month; a block that lies within one month is counted at once."""
    first, last = _month(low), _month(high)
    if first == last:
        months[first] += len(numbers)
    else:
        months.update(map(_month, numbers))


def _month(identifier: int) -> str:
    return f"{snowflake_time(str(identifier)):%Y-%m}"
