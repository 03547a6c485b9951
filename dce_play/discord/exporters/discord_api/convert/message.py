"""Messages: Discord's into DiscordChatExporter's form."""

from collections.abc import Callable, Iterator, Mapping
from typing import Any

from dce_play.discord.exporters.discord_api.convert.content import readable
from dce_play.discord.exporters.discord_api.convert.embed import embeds
from dce_play.discord.exporters.discord_api.convert.emoji import Emoji, emoji_object, parse_emoji
from dce_play.discord.exporters.discord_api.convert.entities import User, parse_user
from dce_play.discord.exporters.discord_api.convert.guild_view import GuildView
from dce_play.discord.exporters.discord_api.convert.images import sticker as sticker_url
from dce_play.discord.exporters.discord_api.convert.json_writer import JsonObject
from dce_play.discord.exporters.discord_api.convert.latest_format import components, forwarded, poll, reference_kind
from dce_play.discord.exporters.discord_api.convert.markdown import inline_emoji
from dce_play.discord.exporters.discord_api.convert.system_messages import is_system, system_content
from dce_play.discord.exporters.discord_api.convert.timestamps import normal_stamp, stamp_or_none
from dce_play.discord.exporters.discord_api.rest.answers import (
    each,
    filled_text,
    flag,
    identifier,
    integer,
    optional_identifier,
    optional_object,
    optional_text,
    text,
    within,
)

_Source = Mapping[str, Any]
ReactionUsers = Callable[[str, Emoji, int], Iterator[User]]
"""Who reacted to a message (its id) with an emoji; so many were announced."""

_KINDS = {
    0: "Default",
    1: "RecipientAdd",
    2: "RecipientRemove",
    3: "Call",
    4: "ChannelNameChange",
    5: "ChannelIconChange",
    6: "ChannelPinnedMessage",
    7: "GuildMemberJoin",
    18: "ThreadCreated",
    19: "Reply",
}
_STICKER_FORMATS = {1: ("Png", "png"), 2: ("Apng", "png"), 3: ("Lottie", "json"), 4: ("Gif", "gif")}


def is_blank(source: _Source) -> bool:
    """Return whether a message shows nothing: what a bot sees of all messages without the right to their content."""
    return filled_text(source, "content") is None and not any(
        source.get(key) for key in ("attachments", "embeds", "sticker_items", "components", "poll", "message_snapshots")
    )


def message_object(
    source: _Source, view: GuildView, reaction_users: ReactionUsers, *, latest: bool = False
) -> JsonObject:
    """Return a message as it stands in a channel file, in the latest format or in that of 2.46.

    Members are fetched in the order in which DiscordChatExporter meets them: later parts show what earlier ones met.
    """
    author = within(source, "author", parse_user)
    mentioned = each(source, "mentions", parse_user)
    interaction = optional_object(source, "interaction")
    for user in _referenced(source, author, mentioned, interaction):
        view.meet(user)
    message_id = identifier(source)
    number = integer(source, "type")
    content = optional_text(source, "content") or ""
    call = optional_object(source, "call") or {}
    written: JsonObject = {
        "id": message_id,
        "type": _KINDS.get(number, str(number)),
        "timestamp": normal_stamp(text(source, "timestamp")),
        "timestampEdited": _optional_stamp(source, "edited_timestamp"),
        "callEndedTimestamp": _optional_stamp(call, "ended_timestamp"),
        "isPinned": flag(source, "pinned"),
        "content": system_content(number, source, author, mentioned) if is_system(number) else readable(content, view),
        "author": user_object(author, view),
        "attachments": each(source, "attachments", _attachment),
        **({"components": components(source)} if latest else {}),
        "embeds": embeds(source, view, latest=latest),
        "stickers": each(source, "sticker_items", _sticker),
        "reactions": each(source, "reactions", lambda reaction: _reaction(reaction, message_id, view, reaction_users)),
        "mentions": [user_object(user, view) for user in mentioned],
    }
    if (reference := optional_object(source, "message_reference")) is not None:
        written["reference"] = {
            **({"type": reference_kind(reference)} if latest else {}),
            "messageId": optional_identifier(reference, "message_id"),
            "channelId": optional_identifier(reference, "channel_id"),
            "guildId": optional_identifier(reference, "guild_id"),
        }
    if latest and (original := forwarded(source, view, _attachment, _sticker)) is not None:
        written["forwardedMessage"] = original
    if interaction is not None:
        written["interaction"] = within(source, "interaction", lambda found: _interaction(found, view))
    if latest and (asked := poll(source)) is not None:
        written["poll"] = asked
    written["inlineEmojis"] = [emoji_object(emoji) for emoji in inline_emoji(content)]
    return written


def user_object(user: User, view: GuildView, *, with_roles: bool = True) -> JsonObject:
    """Return a user with the nickname, colour and avatar that the guild gives them."""
    member = view.member(user.id)
    roles = view.roles(user.id)
    written: JsonObject = {
        "id": user.id,
        "name": user.name,
        "discriminator": user.discriminator,
        "nickname": (member.nickname if member else None) or user.display_name,
        "color": next((role.color for role in roles if role.color is not None), None),
        "isBot": user.is_bot,
    }
    if with_roles:
        written["roles"] = [
            {"id": role.id, "name": role.name, "color": role.color, "position": role.position} for role in roles
        ]
    written["avatarUrl"] = (member.avatar_url if member else None) or user.avatar_url
    return written


def _referenced(source: _Source, author: User, mentioned: list[User], interaction: _Source | None) -> Iterator[User]:
    yield author
    yield from mentioned
    if source.get("referenced_message") is not None:
        yield within(source, "referenced_message", lambda referenced: within(referenced, "author", parse_user))
    if interaction is not None:
        yield within(source, "interaction", lambda found: within(found, "user", parse_user))


def _interaction(source: _Source, view: GuildView) -> JsonObject:
    return {
        "id": identifier(source),
        "name": text(source, "name"),
        "user": user_object(within(source, "user", parse_user), view),
    }


def _optional_stamp(source: _Source, key: str) -> str | None:
    return stamp_or_none(filled_text(source, key))


def _attachment(source: _Source) -> JsonObject:
    return {
        "id": identifier(source),
        "url": text(source, "url"),
        "fileName": text(source, "filename"),
        "fileSizeBytes": integer(source, "size", wide=True),
    }


def _sticker(source: _Source) -> JsonObject:
    number = integer(source, "format_type")
    name, extension = _STICKER_FORMATS.get(number, (str(number), "png"))
    sticker_id = identifier(source)
    return {
        "id": sticker_id,
        "name": text(source, "name"),
        "format": name,
        "sourceUrl": sticker_url(sticker_id, extension),
    }


def _reaction(source: _Source, message_id: str, view: GuildView, reaction_users: ReactionUsers) -> JsonObject:
    emoji = within(source, "emoji", parse_emoji)
    count = integer(source, "count")
    return {
        "emoji": emoji_object(emoji),
        "count": count,
        "users": [user_object(user, view, with_roles=False) for user in reaction_users(message_id, emoji, count)],
    }
