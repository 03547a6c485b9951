"""The channels that a scrape listed and did not come to: what the next one owes.

A target with channel files is not listed again. A first scrape that dies between two channels would make the rest
invisible for ever, so they are on disk from before the first export until each has had its turn.
"""

import json
from collections.abc import Collection, Iterable

from dce_play.discord.scrape.outcome import ChannelAction, TargetOutcome
from dce_play.layout import TargetLayout
from dce_play.snowflake import ChannelId, is_number
from dce_play.system.durable.whole_files import write_atomic

_OWED = frozenset({ChannelAction.FAILED, ChannelAction.NOT_TRIED, ChannelAction.SKIPPED_OOM})


def read_unfinished(layout: TargetLayout) -> tuple[ChannelId, ...]:
    """Return the channels that an earlier scrape listed and did not come to; a damaged list is none."""
    try:
        found = json.loads(layout.unfinished.read_bytes())
    except (OSError, ValueError):
        return ()
    return tuple(ChannelId(each) for each in found if is_number(each)) if isinstance(found, list) else ()


def remember_unfinished(layout: TargetLayout, channels: Iterable[ChannelId]) -> None:
    """Put these channels on the list, durably."""
    _write(layout, {*read_unfinished(layout), *channels})


def settle_unfinished(layout: TargetLayout, outcome: TargetOutcome) -> None:
    """Take the channels off that a scrape fetched, or found that there is nothing to fetch from."""
    done = {each.channel_id for each in outcome.channels if each.action not in _OWED and not each.temp_kept}
    _write(layout, set(read_unfinished(layout)) - done)


def _write(layout: TargetLayout, channels: Collection[ChannelId]) -> None:
    if set(channels) == set(read_unfinished(layout)):
        return
    if not channels:
        layout.unfinished.unlink(missing_ok=True)
        return
    layout.meta.mkdir(parents=True, exist_ok=True)
    write_atomic(layout.unfinished, (json.dumps(sorted(channels, key=int), indent=2) + "\n").encode())
