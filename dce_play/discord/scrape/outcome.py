"""What became of a scrape: one record a channel, folded into a target's outcome."""

from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

from dce_play.discord.exporters.protocol import OddMessage
from dce_play.errors import DcePlayError
from dce_play.snowflake import ChannelId, MessageId


class ChannelAction(StrEnum):
    """What was done with one channel. The first five are the operators' own words."""

    CREATED = "CREATED"
    MERGED = "MERGED"
    UNCHANGED = "UNCHANGED"
    SKIPPED = "SKIPPED"
    SKIPPED_OOM = "SKIPPED_OOM"
    UPDATED = "UPDATED"
    """No new message, but newer versions of known ones."""
    FAILED = "FAILED"
    NOT_TRIED = "NOT_TRIED"
    """The run stopped before this channel."""


CHANGED = frozenset({ChannelAction.CREATED, ChannelAction.MERGED, ChannelAction.UPDATED})
EXPORTED = frozenset({ChannelAction.CREATED, ChannelAction.MERGED, ChannelAction.UNCHANGED, ChannelAction.UPDATED})


@dataclass(frozen=True, slots=True, kw_only=True)
class ChannelOutcome:
    """One channel's line in the summary. Counts are messages."""

    target: str
    channel_id: ChannelId
    action: ChannelAction
    name: str = ""
    """The channel's own name, as its file or Discord's listing says it; empty where neither is known."""
    guild_label: str = "unknown guild"
    """``Guild name [guild id]``, control characters removed."""
    file_path: Path | None = None
    before_count: int = 0
    fetched_count: int = 0
    after_count: int = 0
    salvaged_count: int = 0
    """Won from stale temps before the export; part of ``after_count`` and ``delta``, not of ``fetched_count``."""
    edit_count: int = 0
    reason: str = ""
    """Why the channel was skipped or failed; empty otherwise."""
    error: DcePlayError | None = None
    """What the channel failed of."""
    cursor_before: MessageId | None = None
    cursor_after: MessageId | None = None
    fetched_bytes: int = 0
    duration_s: float = 0.0
    temp_kept: Path | None = None
    """The folder of a partial export that the next run will salvage."""
    unfinished: bool = False
    """The exporter was ended in the middle: what it left waits for salvage, and the rest was not fetched."""
    unproven: bool = False
    """The exporter's word is all there is for the export's completeness."""
    odd: tuple[OddMessage, ...] = ()
    """Messages that are kept beside the channel file, as they could not be read or are too large for it."""
    counts: bool = True
    """False for a forum, which has no messages of its own."""
    behind: bool = False
    """The delta was kept staged: the archive has a hole and was told to report it."""

    @property
    def delta(self) -> int:
        return self.after_count - self.before_count


@dataclass(frozen=True, slots=True, kw_only=True)
class TargetOutcome:
    """All channels of one target, in the order they were taken."""

    target: str
    channels: tuple[ChannelOutcome, ...]
    unarchived: tuple[str, ...] = ()
    """Names of the guild's channels that have no channel file and that this run did not take."""
    news: tuple[str, ...] = ()
    """What is new, renamed, forbidden or gone in the guild since the last scrape; each is told once."""

    @property
    def exported(self) -> tuple[ChannelId, ...]:
        """The channels whose export finished."""
        return tuple(channel.channel_id for channel in self.channels if channel.action in EXPORTED)

    @property
    def changed(self) -> bool:
        """Whether any archive, or the edits beside it, changed."""
        return any(channel.delta or channel.edit_count or channel.action in CHANGED for channel in self.channels)

    def count(self, *actions: ChannelAction) -> int:
        """Return how many channels ended with one of these actions."""
        return sum(channel.action in actions for channel in self.channels)

    @property
    def appended(self) -> int:
        """Messages added to the archives, salvaged ones included."""
        return sum(channel.delta for channel in self.channels)
