"""The exporter that asks Discord itself."""

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from dce_play import __version__
from dce_play.discord.exporters.discord_api import pages
from dce_play.discord.exporters.discord_api.answers import as_object, identifier, optional_identifier, optional_integer
from dce_play.discord.exporters.discord_api.client import ClientLimits, DiscordClient, RequestRefused
from dce_play.discord.exporters.discord_api.emoji import Emoji
from dce_play.discord.exporters.discord_api.entities import Channel, User, parse_channel, parse_user
from dce_play.discord.exporters.discord_api.export_file import ExportFile, MessageTooLarge
from dce_play.discord.exporters.discord_api.guild_view import GuildCaches, GuildView
from dce_play.discord.exporters.discord_api.json_writer import JsonObject
from dce_play.discord.exporters.discord_api.listings import direct_messages, guild_channels, guilds
from dce_play.discord.exporters.discord_api.message import is_blank, message_object
from dce_play.discord.exporters.discord_api.odd_messages import OddMessages
from dce_play.discord.exporters.discord_api.timestamps import stamp
from dce_play.discord.exporters.discord_api.verdicts import Meaning
from dce_play.discord.exporters.discord_api.watch import Watch
from dce_play.discord.exporters.protocol import (
    ChannelListing,
    ChannelSkipped,
    Completeness,
    ExportError,
    ExportFailed,
    ExportOutcome,
    ExportProgress,
    ExportRequest,
    GuildListing,
    SkipReason,
)
from dce_play.snowflake import ChannelId, GuildId, MessageId, first_snowflake_at, snowflake_time
from dce_play.system.clock import Clock

DEFAULT_API_BASE = "https://discord.com/api/v10"
FUTURE_SLACK = timedelta(days=1)
"""How far a message's id may lie ahead of this machine's clock."""
NO_HISTORY = "it has messages and shows none: the right Read Message History is missing, or every message is deleted"
_SKIPS = {
    Meaning.FORBIDDEN: SkipReason.FORBIDDEN,
    Meaning.GONE: SkipReason.NOT_FOUND,
    Meaning.WRONG_KIND: SkipReason.FORUM,
}
"""What a refusal of a channel comes to. A refusal of anything else, such as its guild, is a failure."""
_MESSAGE_CONTENT = (1 << 18) | (1 << 19)
"""The application flags of bots that may read message contents: granted, or granted for few guilds."""


class NoMessageContent(ExportFailed):
    """The bot sees messages, but not what is in them."""

    def __init__(self) -> None:
        super().__init__(
            "the bot may not read message contents",
            hint="switch on the Message Content intent of the bot in Discord's developer portal",
        )


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


@dataclass(frozen=True, slots=True, kw_only=True)
class Export:
    """One export under way."""

    request: ExportRequest
    file: ExportFile
    view: GuildView
    odd: OddMessages
    watch: Watch


class DiscordApiExporter:
    """Exports channels from Discord's API. One instance serves a run, from as many threads as it likes.

    Guilds, roles and members are asked for once a run. ``reaction_users=False`` leaves the ``users`` of reactions
    empty, which saves most requests of busy channels; ``version`` then says so.
    """

    name = "discord_api"

    def __init__(
        self,
        base_url: str,
        token: str,
        *,
        clock: Clock,
        limits: ClientLimits | None = None,
        reaction_users: bool = True,
        note: Callable[[str], None] = lambda _: None,
    ) -> None:
        self._clock = clock
        self._client = DiscordClient(base_url, token, clock=clock, limits=limits, note=note)
        self._guilds = GuildCaches(self._client)
        self._with_reaction_users = reaction_users
        self._may_read_contents: bool | None = None

    @property
    def request_count(self) -> int:
        """Requests made so far, over all channels."""
        return self._client.request_count

    def version(self) -> str:
        """Return our own version, and what a run leaves out of its files."""
        return __version__ if self._with_reaction_users else f"{__version__} (reactions: counts)"

    def close(self) -> None:
        """End all connections."""
        self._client.close()

    def export(
        self,
        request: ExportRequest,
        /,
        *,
        on_progress: Callable[[ExportProgress], None],
        cancelled: Callable[[], bool],
    ) -> ExportOutcome:
        """Write the export file. It appears once the first messages are there, and replaces what stood in its place.

        Raises: ChannelSkipped, AuthenticationFailed, ExportCancelled, DiskFull, ExportFailed. What is written by then
        stays, cut behind a whole message.
        """
        channel_id = request.channel_id
        watch = Watch(self._clock, channel_id=channel_id, on_progress=on_progress, cancelled=cancelled)
        odd = OddMessages(channel_id, request.odd, stop=request.stop_at_odd)
        with _concerning(channel_id):
            channel = self._channel(channel_id, watch)
            view = GuildView(self._client, self._guilds.get(channel.guild_id, watch), watch)
            extent = self._extent(channel, int(request.after or 0), watch)
            with ExportFile(channel_id, request.output, self._header(channel, view, request)) as file:
                last_id = self._write_messages(
                    Export(request=request, file=file, view=view, odd=odd, watch=watch), extent
                )
                self._check_end(channel, last_id, extent, watch)
                file.finish()
            return ExportOutcome(
                completeness=Completeness.COMPLETE,
                message_count=file.message_count,
                last_id=MessageId(str(last_id)) if file.message_count else None,
                request_count=watch.request_count,
                odd=odd.found,
            )

    def probe(self, channel_id: ChannelId, after: MessageId | None, /) -> None:
        """Prove that the channel can be read: the channel itself and one message.

        Raises: ChannelSkipped, AuthenticationFailed, ExportFailed.
        """
        watch = Watch(self._clock, channel_id=channel_id)
        with _concerning(channel_id):
            channel = self._channel(channel_id, watch)
            if after is None:
                found = pages.newest_message(self._client, channel_id, watch) is not None
            else:
                found = pages.oldest_message_id_after(self._client, channel_id, int(after), watch) is not None
            if not found:
                _check_history(channel, int(after or 0))

    def guilds(self) -> list[GuildListing]:
        """List the guilds that the token is in, by name."""
        return guilds(self._client, Watch(self._clock))

    def channels(self, guild_id: GuildId, /, *, threads: str, voice: bool) -> list[ChannelListing]:
        """List a guild's channels; ``threads`` is ``none``, ``active`` or ``all``."""
        return guild_channels(self._client, guild_id, Watch(self._clock), threads=threads, voice=voice)

    def direct_messages(self) -> list[ChannelListing]:
        """List the direct message channels, the newest talk first."""
        return direct_messages(self._client, Watch(self._clock))

    def _channel(self, channel_id: ChannelId, watch: Watch) -> Channel:
        path = f"channels/{channel_id}"
        channel = self._with_parents(as_object(self._client.get(path, watch=watch), path), watch)
        if channel.without_messages is not None:
            raise ChannelSkipped(channel_id, SkipReason.FORUM, f"it is {channel.without_messages}")
        return channel

    def _with_parents(self, source: Mapping[str, Any], watch: Watch, depth: int = 0) -> Channel:
        parent_id = optional_identifier(source, "parent_id")
        if parent_id is None or depth == 2:  # a thread's channel and its category: there is no more above
            return parse_channel(source)
        path = f"channels/{parent_id}"
        found = self._client.find(path, watch=watch)
        parent = None if found is None else self._with_parents(as_object(found, path), watch, depth + 1)
        return parse_channel(source, parent)

    def _extent(self, channel: Channel, after: int, watch: Watch) -> Extent:
        """Return between which ids to export: what is posted from now on is left for the next run.

        Only the messages themselves tell the newest one. The channel's ``last_message_id`` can be missing, stale or
        point at what was deleted; it is no more than a hint that there ought to be something.
        Raises: ChannelSkipped, when there ought to be and nothing is shown.
        """
        horizon = int(first_snowflake_at(self._clock.now() + FUTURE_SLACK)) - 1
        newest = pages.newest_message(self._client, channel.id, watch)
        if newest is None:
            _check_history(channel, after)
            return Extent(after=after, newest=0, horizon=horizon)
        # An id of the future says nothing about how far the honest ones go.
        return Extent(after=after, newest=min(int(identifier(newest)), horizon), horizon=horizon)

    def _header(self, channel: Channel, view: GuildView, request: ExportRequest) -> JsonObject:
        guild, parent = view.guild, channel.parent
        described: JsonObject = {
            "id": channel.id,
            "type": channel.kind,
            "categoryId": parent.id if parent else None,
            "category": parent.name if parent else None,
            "name": channel.name,
            "topic": channel.topic,
        }
        if channel.icon_url is not None:
            described["iconUrl"] = channel.icon_url
        return {
            "guild": {"id": guild.id, "name": guild.name, "iconUrl": guild.icon_url},
            "channel": described,
            "dateRange": {
                "after": None if request.after is None else stamp(snowflake_time(request.after)),
                "before": None,
            },
            "exportedAt": stamp(self._clock.now()),
        }

    def _write_messages(self, export: Export, extent: Extent) -> int:
        """Write the messages of the extent, and return the last one's id."""
        channel_id, watch, file = export.request.channel_id, export.watch, export.file
        last_id = extent.after
        if extent.newest <= last_id:
            return last_id
        for page in pages.message_pages(self._client, channel_id, last_id, watch, horizon=extent.horizon):
            self._check_contents(page, watch)
            for source in page:
                message_id = int(identifier(source))
                if message_id > extent.horizon:
                    export.odd.refuse_future(source, message_id)
                    continue
                if message_id > extent.newest:
                    return last_id
                self._write(source, message_id, export)
                last_id = message_id
            file.flush()
            watch.report()
        return last_id

    def _write(self, source: Mapping[str, Any], message_id: int, export: Export) -> None:
        def reaction_users(message_id: str, emoji: Emoji, count: int) -> Iterator[User]:
            if self._with_reaction_users:
                channel_id, key = export.request.channel_id, emoji.reaction_key
                found = pages.reaction_users(self._client, channel_id, message_id, key, count, export.watch)
                yield from map(parse_user, found)

        written = export.odd.read(source, message_id, lambda: message_object(source, export.view, reaction_users))
        if written is None:
            return
        try:
            export.file.add(written)
        except MessageTooLarge as error:
            export.odd.meet(source, message_id, str(error), goes_on=True)
        else:
            export.watch.written(export.file.message_count, str(written["timestamp"]))

    def _check_contents(self, page: list[Mapping[str, Any]], watch: Watch) -> None:
        """Make sure that messages without content really have none, and are not just shown so to this bot."""
        if self._may_read_contents or not all(map(is_blank, page)) or not self._client.is_bot(watch):
            return
        path = "applications/@me"
        application = as_object(self._client.get(path, watch=watch), path)
        self._may_read_contents = bool((optional_integer(application, "flags") or 0) & _MESSAGE_CONTENT)
        if not self._may_read_contents:
            raise NoMessageContent

    def _check_end(self, channel: Channel, last_id: int, extent: Extent, watch: Watch) -> None:
        """Prove that nothing is missing: the newest message that Discord told of is ours, or deleted by now."""
        told = (int(channel.last_message_id or 0), extent.newest)
        promised = max(each for each in (*told, 0) if each <= extent.horizon)
        if promised <= last_id or extent.newest == 0:
            return
        if pages.oldest_message_id_after(self._client, channel.id, promised - 1, watch) == promised:
            raise ListingEndedEarly(channel.id, promised)


def _check_history(channel: Channel, after: int) -> None:
    """Complain of a channel that shows no message, though it had one that is newer than ours.

    Discord answers with an empty list, not with a refusal, to whom the right to read the history is missing.
    """
    if int(channel.last_message_id or 0) > after:
        raise ChannelSkipped(channel.id, SkipReason.NO_HISTORY, NO_HISTORY)


@contextmanager
def _concerning(channel_id: ChannelId) -> Iterator[None]:
    """Say which channel an error is about, and that one which cannot be read is skipped."""
    try:
        yield
    except RequestRefused as refused:
        refused.channel_id = channel_id
        reason = _SKIPS.get(refused.meaning)
        if reason is None or not refused.path.startswith("channels/"):
            raise
        raise ChannelSkipped(channel_id, reason, str(refused)) from refused
    except ExportError as error:
        error.channel_id = error.channel_id or channel_id
        raise
