"""What a store has: counts by state, and bytes."""

from collections import Counter
from dataclasses import dataclass, field

from dce_play.discord.media_store.ledger import read_ledger
from dce_play.layout import TargetLayout


@dataclass(slots=True, kw_only=True)
class MediaSummary:
    """Counts of URLs by the state that their last lines say."""

    states: Counter[str] = field(default_factory=Counter)
    kept_bytes: int = 0
    """Of distinct contents."""


def summarise(layout: TargetLayout) -> MediaSummary:
    """Read a target's ledger. Writes nothing. Raises: OSError."""
    last: dict[str, str] = {}
    sizes: dict[str, int] = {}
    for each in read_ledger(layout.media_ledger):
        if each.value is not None:
            last[each.value.url] = each.value.state
            if each.value.digest is not None:
                sizes[each.value.digest] = each.value.size or 0
    return MediaSummary(states=Counter(last.values()), kept_bytes=sum(sizes.values()))
