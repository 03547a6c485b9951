"""Who and where: guilds, channels, roles, users and members, as Discord describes them."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from dce_play.discord.exporters.discord_api.convert import images
from dce_play.discord.exporters.discord_api.rest.answers import (
    each,
    filled_text,
    flag,
    identifier,
    integer,
    optional_identifier,
    optional_integer,
    optional_text,
    text,
    within,
)
from dce_play.snowflake import ChannelId, GuildId

DIRECT_MESSAGES_ID = GuildId("0")
"""The guild that direct messages belong to, in DiscordChatExporter's files."""

_KINDS = {
    0: "GuildTextChat",
    1: "DirectTextChat",
    2: "GuildVoiceChat",
    3: "DirectGroupTextChat",
    4: "GuildCategory",
    5: "GuildNews",
    10: "GuildNewsThread",
    11: "GuildPublicThread",
    12: "GuildPrivateThread",
    13: "GuildStageVoice",
    14: "GuildDirectory",
    15: "GuildForum",
}
CATEGORY = 4
_LONGEST_DISCRIMINATOR = 10
"""In digits; Discord's have four, or the single digit 0."""
_THREADS = frozenset({10, 11, 12})
_VOICE = frozenset({2, 13})
_WITHOUT_MESSAGES = {4: "a category", 14: "a directory", 15: "a forum", 16: "a media channel"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Guild:
    """A guild, or the place of direct messages."""

    id: GuildId
    name: str
    icon_url: str


DIRECT_MESSAGES = Guild(id=DIRECT_MESSAGES_ID, name="Direct Messages", icon_url=images.fallback_avatar(0))


@dataclass(frozen=True, slots=True, kw_only=True)
class Channel:
    """A channel or a thread. ``parent`` is its category, or a thread's channel, where it can be seen."""

    id: ChannelId
    type_number: int
    guild_id: GuildId
    parent: "Channel | None"
    name: str
    position: int
    topic: str | None
    icon_url: str | None
    last_message_id: str | None

    @property
    def kind(self) -> str:
        """DiscordChatExporter's name for the type; the number where it has none."""
        return _KINDS.get(self.type_number, str(self.type_number))

    @property
    def is_thread(self) -> bool:
        return self.type_number in _THREADS

    @property
    def is_voice(self) -> bool:
        return self.type_number in _VOICE

    @property
    def without_messages(self) -> str | None:
        """What the channel is, when it is of a type that has no messages of its own."""
        return _WITHOUT_MESSAGES.get(self.type_number)


@dataclass(frozen=True, slots=True, kw_only=True)
class Role:
    """A role; ``color`` is ``#RRGGBB``."""

    id: str
    name: str
    position: int
    color: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class User:
    """A user, a bot or a webhook."""

    id: str
    name: str
    discriminator: str
    display_name: str
    is_bot: bool
    avatar_url: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Member:
    """A user as one guild knows it. A user who has left is a member without nickname and roles."""

    user: User
    nickname: str | None = None
    avatar_url: str | None = None
    role_ids: tuple[str, ...] = ()

    @property
    def display_name(self) -> str:
        return self.nickname or self.user.display_name


def hex_color(number: int) -> str:
    """Return Discord's number for a colour as ``#RRGGBB``."""
    return f"#{number & 0xFFFFFF:06X}"


def parse_guild(source: Mapping[str, Any]) -> Guild:
    guild_id = GuildId(identifier(source))
    return Guild(
        id=guild_id, name=text(source, "name"), icon_url=images.guild_icon(guild_id, filled_text(source, "icon"))
    )


def parse_channel(source: Mapping[str, Any], parent: Channel | None = None) -> Channel:
    channel_id = ChannelId(identifier(source))
    icon = filled_text(source, "icon")
    recipients = ", ".join(user.display_name for user in each(source, "recipients", parse_user))
    return Channel(
        id=channel_id,
        type_number=integer(source, "type"),
        guild_id=GuildId(optional_identifier(source, "guild_id") or DIRECT_MESSAGES_ID),
        parent=parent,
        name=filled_text(source, "name") or recipients or channel_id,
        position=optional_integer(source, "position") or 0,
        topic=optional_text(source, "topic"),
        icon_url=None if icon is None else images.channel_icon(channel_id, icon),
        last_message_id=optional_identifier(source, "last_message_id"),
    )


def parse_role(source: Mapping[str, Any]) -> Role:
    number = (optional_integer(source, "color") or 0) & 0xFFFFFF
    return Role(
        id=identifier(source),
        name=text(source, "name"),
        position=integer(source, "position"),
        color=hex_color(number) if number else None,
    )


def parse_user(source: Mapping[str, Any]) -> User:
    user_id = identifier(source)
    name = text(source, "username")
    written = filled_text(source, "discriminator") or "0"
    discriminator = int(written) if written.isdecimal() and len(written) < _LONGEST_DISCRIMINATOR else 0
    image_hash = filled_text(source, "avatar")
    if image_hash is not None:
        avatar_url = images.user_avatar(user_id, image_hash)
    else:
        # Users with one of the old four-digit discriminators have five placeholders, all others six.
        avatar_url = images.fallback_avatar(discriminator % 5 if discriminator else (int(user_id) >> 22) % 6)
    return User(
        id=user_id,
        name=name,
        discriminator=f"{discriminator:04}",
        display_name=filled_text(source, "global_name") or name,
        is_bot=flag(source, "bot"),
        avatar_url=avatar_url,
    )


def parse_member(source: Mapping[str, Any], guild_id: GuildId) -> Member:
    user = within(source, "user", parse_user)
    image_hash = filled_text(source, "avatar")
    role_ids = source.get("roles")
    return Member(
        user=user,
        nickname=filled_text(source, "nick"),
        avatar_url=None if image_hash is None else images.member_avatar(guild_id, user.id, image_hash),
        role_ids=tuple(str(role_id) for role_id in role_ids) if isinstance(role_ids, list) else (),
    )
