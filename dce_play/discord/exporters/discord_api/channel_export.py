"""One channel's messages on their way into a file: from where to where, page by page, and proved to be all."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from dce_play.discord.exporters.discord_api.convert.emoji import Emoji
from dce_play.discord.exporters.discord_api.convert.entities import Channel, User, parse_user
from dce_play.discord.exporters.discord_api.convert.guild_view import GuildView
from dce_play.discord.exporters.discord_api.convert.message import message_object
from dce_play.discord.exporters.discord_api.export_file import ExportFile, MessageTooLarge
from dce_play.discord.exporters.discord_api.odd_messages import OddMessages
from dce_play.discord.exporters.discord_api.raw_messages import RawMessages
from dce_play.discord.exporters.discord_api.rest import pages
from dce_play.discord.exporters.discord_api.rest.answers import identifier
from dce_play.discord.exporters.discord_api.rest.client import DiscordClient
from dce_play.discord.exporters.discord_api.rest.watch import Watch
from dce_play.discord.exporters.protocol import ChannelSkipped, ExportFailed, ExportFormat, ExportRequest, SkipReason
from dce_play.snowflake import last_honest_id

NO_HISTORY = "it has messages and shows none: the right Read Message History is missing, or every message is deleted"


class ListingEndedEarly(ExportFailed):
    """Discord's pages ended before a message that exists: the export would miss messages in silence."""

    def __init__(self, channel_id: str, message_id: int) -> None:
        super().__init__(
            f"messages of channel {channel_id} ended before {message_id}, which exists",
            channel_id=channel_id,
            hint="the partial export is kept; run again",
        )
        self.message_id = message_id


@dataclass(frozen=True, slots=True, kw_only=True)
class Extent:
    """Between which message ids an export goes: above ``after``, up to ``newest``, never beyond ``horizon``."""

    after: int
    newest: int
    """0 where the channel shows no message."""
    horizon: int
    """The last id that can be honest; whatever is above it claims to come from the future."""


def extent_of(client: DiscordClient, channel: Channel, after: int, *, now: datetime, watch: Watch) -> Extent:
    """Return between which ids to export: what is posted from now on is left for the next run.

    Only the messages themselves tell the newest one. The channel's ``last_message_id`` can be missing, stale or point
    at what was deleted; it is no more than a hint that there ought to be something.
    Raises: ChannelSkipped, when there ought to be and nothing is shown.
    """
    horizon = last_honest_id(now)
    newest = pages.newest_message(client, channel.id, watch)
    if newest is None:
        check_history(channel, after)
        return Extent(after=after, newest=0, horizon=horizon)
    # An id of the future says nothing about how far the honest ones go.
    return Extent(after=after, newest=min(int(identifier(newest)), horizon), horizon=horizon)


def check_history(channel: Channel, after: int) -> None:
    """Complain of a channel that shows no message, though it had one that is newer than ours.

    Discord answers with an empty list, not with a refusal, to whom the right to read the history is missing.
    """
    if int(channel.last_message_id or 0) > after:
        raise ChannelSkipped(channel.id, SkipReason.NO_HISTORY, NO_HISTORY)


@dataclass(frozen=True, slots=True, kw_only=True)
class ChannelExport:
    """One export under way. ``run`` carries it out, without the trailer."""

    client: DiscordClient
    request: ExportRequest
    channel: Channel
    extent: Extent
    view: GuildView
    file: ExportFile
    odd: OddMessages
    raw: RawMessages
    watch: Watch
    reaction_users: bool
    check_page: Callable[[list[Mapping[str, Any]]], None]
    """Looks at each page before its messages are written, and may refuse it."""

    def run(self) -> None:
        """Write the messages of the extent, and prove that none is missing.

        Raises: UnreadableMessage, EndlessListing, ListingEndedEarly; what ``DiscordClient.get`` raises.
        """
        self._check_end(self._write_messages())

    def _write_messages(self) -> int:
        """Write the messages and return the id of the last one that was met."""
        last_id = self.extent.after
        if self.extent.newest <= last_id:
            return last_id
        for page in pages.message_pages(self.client, self.channel.id, last_id, self.watch, horizon=self.extent.horizon):
            self.check_page(page)
            told: list[tuple[Mapping[str, Any], Mapping[str, Any]]] = []
            for source in page:
                message_id = int(identifier(source))
                if message_id > self.extent.horizon:
                    self.odd.refuse_future(source, message_id)
                    continue
                if message_id > self.extent.newest:
                    self._tell(told)
                    return last_id
                written = self._write(source, message_id)
                last_id = message_id
                if written is not None and self.request.on_message is not None:
                    told.append((source, written))
            self.file.flush()
            self._tell(told)
            self.watch.report()
        return last_id

    def _tell(self, told: list[tuple[Mapping[str, Any], Mapping[str, Any]]]) -> None:
        if self.request.on_message is not None:
            for source, written in told:
                self.request.on_message(source, written)

    def _write(self, source: Mapping[str, Any], message_id: int) -> Mapping[str, Any] | None:
        """Write one message, and return what was written; ``None`` where it cannot be."""
        self.raw.add(source)
        latest = self.request.format is ExportFormat.LATEST
        written = self.odd.read(
            source, message_id, lambda: message_object(source, self.view, self._reaction_users, latest=latest)
        )
        if written is None:
            return None
        try:
            self.file.add(written)
        except MessageTooLarge as error:
            self.odd.meet(source, message_id, str(error), goes_on=True)
            return None
        self.watch.written(self.file.message_count, str(written["timestamp"]))
        return written

    def _reaction_users(self, message_id: str, emoji: Emoji, count: int) -> Iterator[User]:
        if self.reaction_users:
            key = emoji.reaction_key
            found = pages.reaction_users(self.client, self.channel.id, message_id, key, count, self.watch)
            yield from map(parse_user, found)

    def _check_end(self, last_id: int) -> None:
        """Prove that nothing is missing: the newest message that Discord told of is met, or deleted by now."""
        told = (int(self.channel.last_message_id or 0), self.extent.newest)
        promised = max(each for each in (*told, 0) if each <= self.extent.horizon)
        if promised <= last_id or self.extent.newest == 0:
            return
        if pages.oldest_message_id_after(self.client, self.channel.id, promised - 1, self.watch) == promised:
            raise ListingEndedEarly(self.channel.id, promised)
