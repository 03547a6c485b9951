"""What DiscordChatExporter's source writes since 2.46: components, forwarded messages, kinds of references.

Polls and the texts of components are not in its JSON yet. They are here, as in an archive that only grows they would
be lost for good. Every difference from 2.46, field by field: docs/reference/export-formats.md.
"""

from collections.abc import Callable, Mapping
from typing import Any

from dce_play.discord.exporters.discord_api.convert.content import readable
from dce_play.discord.exporters.discord_api.convert.embed import embeds
from dce_play.discord.exporters.discord_api.convert.emoji import emoji_object, parse_emoji
from dce_play.discord.exporters.discord_api.convert.guild_view import GuildView
from dce_play.discord.exporters.discord_api.convert.json_writer import JsonObject
from dce_play.discord.exporters.discord_api.convert.timestamps import stamp_or_none
from dce_play.discord.exporters.discord_api.rest.answers import (
    each,
    filled_text,
    flag,
    objects,
    optional_identifier,
    optional_integer,
    optional_object,
    optional_text,
)

_Source = Mapping[str, Any]
_DEEPEST = 16
"""Components in components. Discord allows three levels."""
_NO_TIME = "0001-01-01T00:00:00+00:00"
_BUTTON = 2
_COMPONENTS = {
    1: "ActionRow",
    2: "Button",
    3: "StringSelect",
    4: "TextInput",
    5: "UserSelect",
    6: "RoleSelect",
    7: "MentionableSelect",
    8: "ChannelSelect",
    9: "Section",
    10: "TextDisplay",
    11: "Thumbnail",
    12: "MediaGallery",
    13: "File",
    14: "Separator",
    17: "Container",
    18: "Label",
}
_BUTTON_STYLES = {1: "Primary", 2: "Secondary", 3: "Success", 4: "Danger", 5: "Link", 6: "Premium"}
_REFERENCES = {0: "Default", 1: "Forward"}


def reference_kind(reference: _Source) -> str:
    """Return whether a reference is an ordinary one, such as a reply's, or a forward; the number of any other kind."""
    number = optional_integer(reference, "type") or 0
    return _REFERENCES.get(number, str(number))


def components(source: _Source, depth: int = 0) -> list[JsonObject]:
    """Return a message's components of the kinds that are known: buttons, texts, and what holds them."""
    if depth >= _DEEPEST:
        return []
    return [
        _component(each, number, depth)
        for each in objects(source, "components")
        if (number := optional_integer(each, "type")) in _COMPONENTS and number is not None
    ]


def _component(source: _Source, number: int, depth: int) -> JsonObject:
    written: JsonObject = {"type": _COMPONENTS[number]}
    if number == _BUTTON:
        written |= {
            "style": _BUTTON_STYLES.get(optional_integer(source, "style") or 0, "Secondary"),
            "label": optional_text(source, "label"),
            "url": filled_text(source, "url"),
            "customId": filled_text(source, "custom_id"),
            "skuId": optional_identifier(source, "sku_id"),
            "isDisabled": flag(source, "disabled"),
        }
        if (emoji := optional_object(source, "emoji")) is not None:
            written["emoji"] = emoji_object(parse_emoji(emoji))
    if (content := filled_text(source, "content")) is not None:
        written["content"] = content
    if inner := components(source, depth + 1):
        written["components"] = inner
    return written


def forwarded(
    source: _Source,
    view: GuildView,
    attachment: Callable[[_Source], JsonObject],
    sticker: Callable[[_Source], JsonObject],
) -> "JsonObject | None":
    """Return the message that this one forwards, as it was then, or ``None``."""
    snapshots = objects(source, "message_snapshots")
    if not snapshots:
        return None
    message = optional_object(snapshots[0], "message") or snapshots[0]
    return {
        "timestamp": stamp_or_none(filled_text(message, "timestamp")) or _NO_TIME,
        "timestampEdited": stamp_or_none(filled_text(message, "edited_timestamp")),
        "content": readable(optional_text(message, "content") or "", view),
        "attachments": each(message, "attachments", attachment),
        "embeds": embeds(message, view, latest=True),
        "stickers": each(message, "sticker_items", sticker),
    }


def poll(source: _Source) -> "JsonObject | None":
    """Return a message's poll: question, answers, and the votes as far as they are told."""
    found = optional_object(source, "poll")
    if found is None:
        return None
    written: JsonObject = {
        "question": optional_text(optional_object(found, "question") or {}, "text") or "",
        "expiresAt": stamp_or_none(filled_text(found, "expiry")),
        "allowsMultipleAnswers": flag(found, "allow_multiselect"),
        "answers": [_answer(answer) for answer in objects(found, "answers")],
    }
    if (results := optional_object(found, "results")) is not None:
        written["results"] = {
            "isFinalized": flag(results, "is_finalized"),
            "answers": [
                {
                    "id": optional_integer(count, "id") or 0,
                    "count": optional_integer(count, "count") or 0,
                    "didCurrentUserVote": flag(count, "me_voted"),
                }
                for count in objects(results, "answer_counts")
            ],
        }
    return written


def _answer(source: _Source) -> JsonObject:
    media = optional_object(source, "poll_media") or {}
    written: JsonObject = {
        "id": optional_integer(source, "answer_id") or 0,
        "text": optional_text(media, "text") or "",
    }
    if (emoji := optional_object(media, "emoji")) is not None:
        written["emoji"] = emoji_object(parse_emoji(emoji))
    return written
