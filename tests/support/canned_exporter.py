"""An exporter that writes canned channel files, and fails as told."""

import gzip
import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from dce_play.discord.exporters.protocol import (
    ChannelListing,
    Completeness,
    ExportOutcome,
    ExportProgress,
    ExportRequest,
    GuildListing,
    OddMessage,
)
from dce_play.errors import DcePlayError
from dce_play.snowflake import ChannelId, GuildId, MessageId
from tests.support.channel_files import channel_bytes


@dataclass
class CannedExporter:
    """Each channel has ids, and what is newer than the cursor is exported; ``troubles`` come instead."""

    messages: dict[str, list[int]] = field(default_factory=dict)
    contents: dict[int, str] = field(default_factory=dict)
    troubles: dict[str, Exception] = field(default_factory=dict)
    partials: dict[str, bytes] = field(default_factory=dict)
    """What a failing export leaves in its file."""
    embedded: dict[str, str] = field(default_factory=dict)
    """The channel id inside the export, where it is not the one asked for."""
    exported_at: str = "2026-12-01T00:00:00+00:00"
    odd: dict[str, list[OddMessage]] = field(default_factory=dict)
    """Messages that are not in the export, but beside it."""
    overlap: bool = False
    """Ignore the cursor and export everything."""
    listings: Sequence[ChannelListing] = ()
    guild_listings: Sequence[GuildListing] = ()
    completeness: Completeness = Completeness.COMPLETE
    requests: list[ExportRequest] = field(default_factory=list)
    listed: list[str] = field(default_factory=list)
    name: str = "canned"

    def version(self) -> str:
        return "1"

    def export(
        self,
        request: ExportRequest,
        /,
        *,
        on_progress: Callable[[ExportProgress], None],
        cancelled: Callable[[], bool],  # noqa: ARG002 - the protocol's
    ) -> ExportOutcome:
        self.requests.append(request)
        channel = request.channel_id
        if channel in self.partials:
            request.output.write_bytes(self.partials[channel])
        if channel in self.troubles:
            raise self.troubles[channel]
        floor = -1 if self.overlap or request.after is None else int(request.after)
        ids = [identifier for identifier in self.messages.get(channel, []) if identifier > floor]
        request.output.write_bytes(
            channel_bytes(
                ids,
                channel_id=self.embedded.get(channel, channel),
                contents=self.contents,
                exported_at=self.exported_at,
            )
        )
        self._keep_beside(request, ids)
        on_progress(ExportProgress(message_count=len(ids), last_timestamp="2026-01-01T00:00:00+00:00"))
        last = MessageId(str(ids[-1])) if ids else None
        odd = tuple(self.odd.get(channel, ()))
        return ExportOutcome(completeness=self.completeness, message_count=len(ids), last_id=last, odd=odd)

    def _keep_beside(self, request: ExportRequest, ids: list[int]) -> None:
        odd = self.odd.get(request.channel_id, [])
        if request.odd is not None and odd:
            lines = (json.dumps({"id": each.message_id, "reason": each.reason, "message": {}}) for each in odd)
            request.odd.write_text("".join(f"{line}\n" for line in lines))
        if request.raw is not None:
            lines = (json.dumps({"id": str(each)}) for each in ids)
            request.raw.write_bytes(gzip.compress("".join(f"{line}\n" for line in lines).encode()))

    def probe(self, channel_id: ChannelId, after: MessageId | None, /) -> None:
        self.listed.append(f"probe {channel_id} {after}")
        if channel_id in self.troubles:
            raise self.troubles[channel_id]

    def guilds(self) -> list[GuildListing]:
        self.listed.append("guilds")
        return list(self.guild_listings)

    def channels(self, guild_id: GuildId, /, *, threads: str, voice: bool) -> list[ChannelListing]:
        self.listed.append(f"channels {guild_id} {threads} {voice}")
        if "listing" in self.troubles:
            raise self.troubles["listing"]
        return list(self.listings)

    def direct_messages(self) -> list[ChannelListing]:
        self.listed.append("dms")
        return list(self.listings)


@dataclass
class Lines:
    """A listener that remembers."""

    lines: list[str] = field(default_factory=list)
    ended_channels: list[str] = field(default_factory=list)

    def chose(self, channel_count: int, /) -> None:
        pass

    def began(self, _channel_id: ChannelId, line: str, _name: str, _after: MessageId | None, /) -> None:
        self.lines.append(line)

    def progressed(self, channel_id: ChannelId, progress: ExportProgress, /) -> None:
        pass

    def ended(self, outcome: object, /) -> None:
        self.ended_channels.append(str(getattr(outcome, "channel_id", "")))

    def missed(self, _channels: Mapping[ChannelId, str], line: str, /) -> None:
        self.lines.append(line)

    def noted(self, line: str, /) -> None:
        self.lines.append(line)


def tree(folder: Path) -> Mapping[str, bytes]:
    """Return every file below a folder with its bytes."""
    return {str(path.relative_to(folder)): path.read_bytes() for path in sorted(folder.rglob("*")) if path.is_file()}


def refused(*_: object) -> None:
    """A refresh that has no other token."""


def error_of(outcome: object) -> DcePlayError:
    """Narrow for tests that raise their own."""
    assert isinstance(outcome, DcePlayError)
    return outcome
