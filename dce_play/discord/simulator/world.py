"""What a simulated Discord is made of: people, guilds, channels, and how many messages each channel has.

A world is described once and then only grows. Messages are not stored: ``messages.message_at`` makes any of them
from the world's seed, so a channel of a million messages costs no more memory than an empty one.
"""

import threading
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from enum import Enum, IntEnum

from dce_play.discord.simulator.timeline import Timeline
from dce_play.snowflake import ChannelId, GuildId, MessageId


class Kind(IntEnum):
    """Discord's channel types."""

    TEXT = 0
    DIRECT = 1
    VOICE = 2
    GROUP = 3
    CATEGORY = 4
    NEWS = 5
    NEWS_THREAD = 10
    PUBLIC_THREAD = 11
    PRIVATE_THREAD = 12
    STAGE = 13
    FORUM = 15
    MEDIA = 16


THREADS = frozenset({Kind.NEWS_THREAD, Kind.PUBLIC_THREAD, Kind.PRIVATE_THREAD})
DIRECTS = frozenset({Kind.DIRECT, Kind.GROUP})
WITHOUT_MESSAGES = frozenset({Kind.CATEGORY, Kind.FORUM, Kind.MEDIA})


class Access(Enum):
    """What the token may see of a channel."""

    READ = "read"
    NO_MESSAGES = "no messages"
    """The channel itself is answered, its messages are 403."""
    NO_HISTORY = "no history"
    """The channel is answered, with its last message's id, and its messages are an empty list."""
    HIDDEN = "hidden"
    """The channel is in its guild's list, everything else about it is 403."""


@dataclass(frozen=True, slots=True, kw_only=True)
class User:
    """One account."""

    user_id: str
    username: str
    global_name: str | None = None
    discriminator: str = "0"
    avatar: str | None = None
    bot: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Role:
    """One role of a guild; the role whose id is the guild's is ``@everyone``."""

    role_id: str
    name: str
    color: int = 0
    position: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Member:
    """One user's membership of a guild."""

    user: User
    nick: str | None = None
    role_ids: tuple[str, ...] = ()
    avatar: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Guild:
    """One guild. Users who write in it without being members have left: their membership is 404."""

    guild_id: GuildId
    name: str
    icon: str | None = None
    roles: tuple[Role, ...] = ()
    members: tuple[Member, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Channel:
    """One channel, thread or conversation."""

    channel_id: ChannelId
    kind: Kind
    name: str
    guild_id: GuildId | None = None
    parent_id: ChannelId | None = None
    position: int = 0
    topic: str | None = None
    authors: tuple[User, ...] = ()
    """Who writes here, and for a conversation its recipients."""
    archived: bool = False
    """For threads: put away, and found only in the archived lists."""
    access: Access = Access.READ
    grows: bool = True
    """Whether ``World.grow`` gives it new messages."""
    interval_ms: int = 61_000
    """Between two messages, on average."""


class World:
    """A described Discord, and how far it has grown. Safe to grow while a server is answering from it."""

    def __init__(
        self,
        *,
        seed: int,
        user_token: str,
        bot_token: str,
        user: User,
        bot: User,
        guilds: Iterable[Guild],
        emoji_ids: tuple[str, str],
        bot_reads_content: bool = True,
    ) -> None:
        self.seed = seed
        self.user_token = user_token
        self.bot_token = bot_token
        self.user = user
        self.bot = bot
        self.emoji_ids = emoji_ids
        self.largest_attachment = 5_000_000_000
        """In bytes. Those that are to be served should fit into memory."""
        self.bot_reads_content = bot_reads_content
        self.guilds = {guild.guild_id: guild for guild in guilds}
        self._channels: dict[ChannelId, Channel] = {}
        self._timelines: dict[ChannelId, Timeline] = {}
        self._turn = 0
        self._lock = threading.Lock()

    def add(self, channel: Channel, *, messages: int = 0) -> None:
        """Add a channel that already has this many messages; a server shows it from its next answer on."""
        parent = self._channels.get(channel.parent_id) if channel.parent_id else None
        timeline = Timeline(
            start_id=int(channel.channel_id),
            interval_ms=channel.interval_ms,
            salt=self.seed,
            count=messages,
            starter=parent is not None and parent.kind in WITHOUT_MESSAGES,
        )
        with self._lock:
            self._timelines[channel.channel_id] = timeline
            self._channels = {**self._channels, channel.channel_id: channel}

    def change(self, channel_id: ChannelId, *, access: Access | None = None, name: str = "") -> None:
        """Let the token see something else of a channel, or give it another name, from the next answer on."""
        with self._lock:
            before = self._channels[channel_id]
            changed = replace(before, access=access or before.access, name=name or before.name)
            self._channels = {**self._channels, channel_id: changed}

    def remove(self, channel_id: ChannelId) -> None:
        """Delete a channel, from the next answer on."""
        with self._lock:
            self._channels = {key: each for key, each in self._channels.items() if key != channel_id}

    def grow(self, messages: int, *, channel_id: ChannelId | None = None) -> None:
        """Add new messages: to one channel, or in turn to every channel that grows."""
        with self._lock:
            growing = [channel_id] if channel_id else self._growing()
            for _ in range(messages):
                self._timelines[growing[self._turn % len(growing)]].count += 1
                self._turn += 1

    def edit(self, channel_id: ChannelId, message_id: MessageId) -> None:
        """Change a message's content; each call changes it again."""
        self._timelines[channel_id].edit(message_id)

    def delete(self, channel_id: ChannelId, message_id: MessageId) -> None:
        """Remove a message. The channel's ``last_message_id`` keeps pointing at it, as Discord's does."""
        self._timelines[channel_id].delete(message_id)

    def channel(self, channel_id: str) -> Channel | None:
        """Return the channel of this id."""
        return self._channels.get(ChannelId(channel_id))

    def channels(self) -> Iterator[Channel]:
        """Yield every channel, in the order in which they were added."""
        return iter(self._channels.values())

    def timeline(self, channel_id: ChannelId) -> Timeline:
        """Return a channel's messages, as ids and counts."""
        return self._timelines[channel_id]

    def last_message_id(self, channel: Channel) -> str | None:
        """Return the newest message's id, for a forum its newest thread's, or ``None``."""
        if channel.kind in WITHOUT_MESSAGES:
            threads = [thread.channel_id for thread in self.threads_of(channel.channel_id)]
            return max(threads, key=int, default=None)
        timeline = self._timelines[channel.channel_id]
        return timeline.id_at(timeline.count - 1) if timeline.count else None

    def threads_of(self, channel_id: ChannelId) -> list[Channel]:
        """Return a channel's threads, active and archived."""
        return [each for each in self.channels() if each.parent_id == channel_id and each.kind in THREADS]

    def _growing(self) -> list[ChannelId]:
        return [
            each.channel_id
            for each in self._channels.values()
            if each.grows and each.access is Access.READ and each.kind not in WITHOUT_MESSAGES and not each.archived
        ]
