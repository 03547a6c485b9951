"""What an exporter is: the program that fetches messages."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Any, ClassVar, Protocol

from dce_play.errors import DcePlayError, ExitCode
from dce_play.snowflake import ChannelId, GuildId, MessageId


class Completeness(StrEnum):
    """Whether an export holds everything up to the channel's end as it was when the export began."""

    COMPLETE = "complete"
    """Proved: the channel's last message id, noted first, is not beyond ours."""
    UNPROVEN = "unproven"
    """The exporter says so, and its word is all there is."""


class ExportFormat(StrEnum):
    """Which DiscordChatExporter's files an export is like. A channel file keeps the one it was begun in."""

    LATEST = "latest"
    """The one that its source writes now: forwarded messages, polls, components, canonical URLs."""
    V2_46 = "2.46"


@dataclass(frozen=True, slots=True, kw_only=True)
class OddMessage:
    """One message that cannot be read, or that cannot stand in a channel file."""

    message_id: str
    reason: str
    """Begins with the place inside the message where there is one: ``embeds[0].footer.text is not a text``."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ExportRequest:
    """One export of one channel."""

    channel_id: ChannelId
    output: Path
    """The file to write; its folder exists. What stands there after a failure is a partial, to be salvaged."""
    after: MessageId | None = None
    """Fetch only what is newer than this id, exclusive; ``None`` fetches everything."""
    lock_fds: tuple[int, ...] = ()
    format: ExportFormat = ExportFormat.V2_46
    """Exporters that are programs write what they write."""
    odd: Path | None = None
    """Gets the messages that cannot be read, as JSON lines; without it the first one ends the export."""
    stop_at_odd: bool = True
    raw: Path | None = None
    """Gets every message as Discord gave it, as gzipped JSON lines."""
    on_message: Callable[[Mapping[str, Any], Mapping[str, Any]], None] | None = None
    """Gets each message as Discord gave it and as it is written, once its page is in the file. Must not raise.

    Exporters that are programs do not call it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ExportOutcome:
    """A finished export. ``message_count`` 0 means that there was nothing newer."""

    completeness: Completeness
    message_count: int
    last_id: MessageId | None
    request_count: int | None = None
    odd: tuple[OddMessage, ...] = ()
    """Messages that are not in the file, but beside it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ChannelListing:
    """One channel that an exporter can see."""

    channel_id: ChannelId
    guild_id: GuildId
    name: str
    """``Category / channel``, or ``channel / thread``; control characters removed."""
    kind: str
    """DCE's name for the channel's type, such as ``GuildTextChat``."""
    exportable: bool = True
    """False for a forum or media channel, whose threads are listed beside it."""
    parent_id: ChannelId | None = None
    """A thread's channel."""


@dataclass(frozen=True, slots=True, kw_only=True)
class GuildListing:
    """One guild that an exporter can see."""

    guild_id: GuildId
    name: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ExportProgress:
    """How far an export is."""

    message_count: int
    last_timestamp: str
    """Of the newest message written so far, ISO 8601."""
    newest_id: str = ""
    """Of the channel's newest message when the export began; empty where the exporter does not know it."""


class ExportError(DcePlayError):
    """One channel could not be exported. ``channel_id`` is empty where it concerns no single channel."""

    def __init__(self, message: str, *, channel_id: str = "", hint: str = "") -> None:
        super().__init__(message, hint=hint)
        self.channel_id = channel_id


class SkipReason(StrEnum):
    """Why a channel is passed over without failing the run."""

    FORBIDDEN = "forbidden"
    NOT_FOUND = "not_found"
    FORUM = "forum"
    NO_HISTORY = "no_history"
    """The channel has messages and shows none: the right to read its history is missing."""


class ChannelSkipped(ExportError):
    """The channel cannot be read by this token, is gone, or is of a kind without messages of its own."""

    def __init__(self, channel_id: str, reason: SkipReason, detail: str = "") -> None:
        super().__init__(f"channel {channel_id} skipped: {detail or reason.value}", channel_id=channel_id)
        self.reason = reason


class ExportAborted(ExportError):
    """The exporter was ended by a signal; ``exit_code_seen`` 134, 137 and 139 count as out of memory or crash."""

    def __init__(self, channel_id: str, exit_code_seen: int) -> None:
        super().__init__(
            f"export of channel {channel_id} aborted (exit {exit_code_seen})",
            channel_id=channel_id,
            hint="the partial export is kept; the next run salvages it",
        )
        self.exit_code_seen = exit_code_seen

    @property
    def out_of_memory(self) -> bool:
        return self.exit_code_seen in {134, 137, 139}


class ExportCancelled(ExportError):
    """The run is being stopped; the partial export is kept."""


class DiskFull(ExportError):
    """No space is left; the run stops, the partial export is kept."""


class AuthenticationFailed(ExportError):
    """Discord does not accept the token (401). The run stops: no other channel is tried with a dead token."""

    exit_code: ClassVar[ExitCode] = ExitCode.AUTHENTICATION


class ExportFailed(ExportError):
    """Anything else: this channel failed, the others go on."""


class Exporter(Protocol):
    """A program that fetches messages and lists channels. Every method may raise ``ExportError``."""

    @property
    def name(self) -> str:
        """``discord_api``, ``dce_cli`` or ``container``."""

    def version(self) -> str:
        """Return the exporter's version, for records."""

    def export(
        self,
        request: ExportRequest,
        /,
        *,
        on_progress: Callable[[ExportProgress], None],
        cancelled: Callable[[], bool],
    ) -> ExportOutcome:
        """Write the export file."""

    def probe(self, channel_id: ChannelId, after: MessageId | None, /) -> None:
        """Prove that the channel can be read: at most one page, nothing written."""

    def guilds(self) -> list[GuildListing]:
        """List the guilds that the token can see."""

    def channels(self, guild_id: GuildId, /, *, threads: str, voice: bool) -> list[ChannelListing]:
        """List a guild's channels; ``threads`` is ``none``, ``active`` or ``all``."""

    def direct_messages(self) -> list[ChannelListing]:
        """List the direct message channels."""
