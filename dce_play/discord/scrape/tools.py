"""What a scrape works with, and whom it tells."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Protocol

from dce_play.discord.archive.append.append import EditPolicy, GapPolicy, ReaderSafe
from dce_play.discord.exporters.protocol import Exporter, ExportProgress
from dce_play.discord.media.run import MediaRun
from dce_play.discord.scrape.outcome import ChannelOutcome
from dce_play.snowflake import ChannelId, MessageId
from dce_play.system.clock import Clock


class Listener(Protocol):
    """Whoever wants to know how a scrape goes. Called from several threads when channels run in parallel."""

    def chose(self, channel_count: int, /) -> None:
        """So many channels will be scraped."""

    def began(self, channel_id: ChannelId, line: str, name: str, after: MessageId | None, /) -> None:
        """A channel's export begins, behind this message."""

    def progressed(self, channel_id: ChannelId, progress: ExportProgress, /) -> None:
        """An export goes on."""

    def ended(self, outcome: ChannelOutcome, /) -> None:
        """A channel is done with."""

    def missed(self, channels: Mapping[ChannelId, str], line: str, /) -> None:
        """The guild has channels, by id and name, that no run archives; the line says so to people."""

    def noted(self, line: str, /) -> None:
        """Something that people should know, beside the channels."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Policies:
    """How deltas go into the archives."""

    edits: EditPolicy = EditPolicy.SIDECAR
    holes: GapPolicy = GapPolicy.MERGE
    reader_safe: ReaderSafe = ReaderSafe.AUTO
    strict: bool = False
    """An export whose completeness nobody proved counts as failed."""
    stop_at_odd: bool = True
    """A message that cannot be read ends its channel's export; else it is kept beside the file."""
    format: str | None = None
    """``latest`` or ``2.46`` for all channel files; ``None`` keeps what each was begun in, and begins with latest."""
    raw: bool = False
    """Keep every new message as Discord gave it, too."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Tools:
    """What a scrape works with."""

    exporter: Exporter
    clock: Clock
    run_id: str
    environment: Mapping[str, str]
    listener: Listener
    cancelled: Callable[[], bool]
    policies: Policies
    lock_fds: tuple[int, ...] = ()
    media: MediaRun | None = None
    """Fetches media beside the scrape; ``None`` where none are kept."""
