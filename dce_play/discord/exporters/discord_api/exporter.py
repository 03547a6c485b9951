"""The exporter that asks Discord itself."""

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from dce_play import __version__
from dce_play.discord.exporters.discord_api.channel_export import ChannelExport, check_history, extent_of
from dce_play.discord.exporters.discord_api.convert.entities import Channel, parse_channel
from dce_play.discord.exporters.discord_api.convert.guild_view import GuildCaches, GuildView
from dce_play.discord.exporters.discord_api.convert.json_writer import JsonObject
from dce_play.discord.exporters.discord_api.convert.message import is_blank
from dce_play.discord.exporters.discord_api.convert.timestamps import stamp
from dce_play.discord.exporters.discord_api.export_file import ExportFile
from dce_play.discord.exporters.discord_api.listings import direct_messages, guild_channels, guilds
from dce_play.discord.exporters.discord_api.odd_messages import OddMessages
from dce_play.discord.exporters.discord_api.raw_messages import RawMessages
from dce_play.discord.exporters.discord_api.rest import pages
from dce_play.discord.exporters.discord_api.rest.answers import as_object, optional_identifier, optional_integer
from dce_play.discord.exporters.discord_api.rest.client import ClientLimits, DiscordClient, RequestRefused
from dce_play.discord.exporters.discord_api.rest.verdicts import Meaning
from dce_play.discord.exporters.discord_api.rest.watch import Watch
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
from dce_play.snowflake import ChannelId, GuildId, MessageId, snowflake_time
from dce_play.system.clock import Clock

DEFAULT_API_BASE = "https://discord.com/api/v10"
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
            extent = extent_of(self._client, channel, int(request.after or 0), now=self._clock.now(), watch=watch)
            watch.newest_id = str(extent.newest or "")
            with (
                ExportFile(channel_id, request.output, self._header(channel, view, request)) as file,
                RawMessages(request.raw) as raw,
            ):
                ChannelExport(
                    client=self._client,
                    request=request,
                    channel=channel,
                    extent=extent,
                    view=view,
                    file=file,
                    odd=odd,
                    raw=raw,
                    watch=watch,
                    reaction_users=self._with_reaction_users,
                    check_page=lambda page: self._check_contents(page, watch),
                ).run()
                file.finish()
            return ExportOutcome(
                completeness=Completeness.COMPLETE,
                message_count=file.message_count,
                last_id=file.last_id,
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
                check_history(channel, int(after or 0))

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

    def _check_contents(self, page: list[Mapping[str, Any]], watch: Watch) -> None:
        """Make sure that messages without content really have none, and are not just shown so to this bot."""
        if self._may_read_contents or not all(map(is_blank, page)) or not self._client.is_bot(watch):
            return
        path = "applications/@me"
        application = as_object(self._client.get(path, watch=watch), path)
        self._may_read_contents = bool((optional_integer(application, "flags") or 0) & _MESSAGE_CONTENT)
        if not self._may_read_contents:
            raise NoMessageContent


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
