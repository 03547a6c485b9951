"""What became of the exports that dead runs left behind."""

from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

from dce_play.errors import DcePlayError
from dce_play.snowflake import ChannelId


class Fate(StrEnum):
    """What became of one left export."""

    ACTIVE = "active"
    """Somebody may still write it: left alone."""
    SALVAGED = "salvaged"
    DISCARDED = "discarded"
    """It held nothing that the archive lacks."""
    QUARANTINED = "quarantined"
    RETAINED = "retained"
    """The archive could not take it; kept for the next try."""
    ORPHAN = "orphan"
    """A delta whose archive is not there; kept for a person."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SalvageItem:
    """One left export and its fate."""

    place: Path
    channel_id: ChannelId
    fate: Fate
    line: str
    """For people and scripts."""
    archive: Path | None = None
    messages_added: int = 0
    bytes_freed: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class SalvageReport:
    """What a salvage found and did."""

    items: tuple[SalvageItem, ...] = ()
    stopped: DcePlayError | None = None
    """Why the rest was not tried: the disk does not take what is written."""

    @property
    def examined(self) -> int:
        return len(self.items)

    def count(self, fate: Fate) -> int:
        """Return how many met this fate."""
        return sum(item.fate is fate for item in self.items)

    @property
    def messages_added(self) -> int:
        return sum(item.messages_added for item in self.items)

    @property
    def bytes_freed(self) -> int:
        return sum(item.bytes_freed for item in self.items)

    @property
    def lines(self) -> list[str]:
        return [item.line for item in self.items]

    @property
    def ok(self) -> bool:
        """Whether everything that could hold messages is in the archive, or somebody is still writing it."""
        return self.stopped is None and not self.count(Fate.RETAINED) and not self.count(Fate.ORPHAN)

    def counters(self) -> dict[str, int]:
        """Return the counters by their names in reports."""
        fates = {fate.value: self.count(fate) for fate in Fate}
        return {"examined": self.examined, **fates} | {
            "messages_added": self.messages_added,
            "bytes_freed": self.bytes_freed,
        }
