"""How an archive grew: what its own records tell, without reading a channel file."""

import json
import os
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from pathlib import Path

from dce_play.discord.archive.folder.seeds import Seed, find_seeds
from dce_play.discord.archive.records.records import read_record
from dce_play.layout import TargetLayout
from dce_play.snowflake import ChannelId
from dce_play.source import JsonValue
from dce_play.system.durable.regular_files import open_regular

_FIRST_FETCH = "created"
_TAIL_BYTES = 16 << 20
"""So much of ``appends.jsonl`` is read: some forty thousand appends."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Growth:
    """One target's archive in numbers."""

    channels: int = 0
    """Channel files."""
    messages: int = 0
    """In the channel files whose count somebody wrote down."""
    uncounted: int = 0
    """Channel files that nobody counted since they last changed."""
    by_day: tuple[tuple[date, int], ...] = ()
    """Messages that came into channels that were there already, on each day, the oldest first; quiet days too."""
    last_append: str = ""
    """When messages last came in; ISO 8601."""

    @property
    def recent(self) -> int:
        return sum(count for _, count in self.by_day)


def read_growth(folder: Path, /, *, now: datetime, days: int, known: tuple[ChannelId, ...] = ()) -> Growth:
    """Return the growth of the archive in a target's folder, by days in the zone of ``now``.

    ``known`` are channels whose ids are short. Raises: OSError.
    """
    layout = TargetLayout(folder)
    appends = list(_newest_appends(layout.appends))
    counted = {str(each.get("channel_id")): each.get("message_count") for each in appends}
    messages = uncounted = 0
    seeds = find_seeds(folder, known=known)
    for seed in seeds:
        count = _count(layout, seed)
        if count is None:
            noted = counted.get(seed.channel_id)
            uncounted += 1
            messages += noted if isinstance(noted, int) else 0
        else:
            messages += count
    return Growth(
        channels=len(seeds),
        messages=messages,
        uncounted=uncounted,
        by_day=_by_day(appends, now=now, days=days),
        last_append=str(appends[-1].get("time", "")) if appends else "",
    )


def _count(layout: TargetLayout, seed: Seed) -> int | None:
    """Return the messages of a channel file, if it is as large as when they were counted."""
    try:
        record = read_record(layout, seed.channel_id)
        if record is None or record.size_bytes != seed.path.stat().st_size:
            return None
    except (OSError, TypeError):
        return None
    return record.message_count


def _newest_appends(path: Path) -> Iterator[dict[str, JsonValue]]:
    """Yield the newest appends, oldest first, each once; none where there is no such file."""
    try:
        with os.fdopen(open_regular(path), "rb") as file:
            size = os.fstat(file.fileno()).st_size
            if size > _TAIL_BYTES:
                file.seek(size - _TAIL_BYTES)
                file.readline()
            data = file.read()
    except OSError:
        return
    seen = set()
    for line in data.split(b"\n"):
        try:
            append = json.loads(line)
        except (ValueError, RecursionError):
            continue
        if isinstance(append, dict) and append.get("append_id") not in seen:
            seen.add(append.get("append_id"))
            yield append


def _by_day(appends: list[dict[str, JsonValue]], *, now: datetime, days: int) -> tuple[tuple[date, int], ...]:
    counts: Counter[date] = Counter()
    for each in appends:
        count = each.get("count")
        if each.get("kind") == _FIRST_FETCH:
            continue  # a channel's whole past: it would dwarf all days
        try:
            day = datetime.fromisoformat(str(each.get("time"))).astimezone(now.tzinfo).date()
        except ValueError:
            continue
        counts[day] += count if isinstance(count, int) else 0
    first = now.date() - timedelta(days=days - 1)
    return tuple((day, counts[day]) for day in (first + timedelta(days=number) for number in range(days)))
