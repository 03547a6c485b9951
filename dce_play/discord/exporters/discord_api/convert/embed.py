"""Embeds: Discord's into DiscordChatExporter's form."""

from collections.abc import Mapping
from typing import Any

from dce_play.discord.exporters.discord_api.convert.content import readable
from dce_play.discord.exporters.discord_api.convert.emoji import emoji_object
from dce_play.discord.exporters.discord_api.convert.entities import hex_color
from dce_play.discord.exporters.discord_api.convert.guild_view import GuildView
from dce_play.discord.exporters.discord_api.convert.json_writer import JsonObject
from dce_play.discord.exporters.discord_api.convert.markdown import inline_emoji
from dce_play.discord.exporters.discord_api.convert.timestamps import stamp_or_none
from dce_play.discord.exporters.discord_api.rest.answers import (
    UnexpectedAnswer,
    each,
    filled_text,
    flag,
    objects,
    optional_integer,
    optional_object,
    optional_text,
    text,
    within,
)

_Source = Mapping[str, Any]


def embeds(source: _Source, view: GuildView, *, latest: bool = False) -> list[JsonObject]:
    """Return a message's embeds. Posts of several images come as one embed each, and are joined again.

    ``latest`` has the URLs of images and videos as they were posted beside those of Discord's proxy.
    """
    made: list[JsonObject] = []
    for place, embed, images in _joined(objects(source, "embeds")):
        try:
            made.append(_embed(embed, images, view, latest=latest))
        except UnexpectedAnswer as error:
            raise error.inside(f"embeds[{place}]") from error
    return made


def _joined(sources: list[_Source]) -> list[tuple[int, _Source, list[_Source]]]:
    joined: list[tuple[int, _Source, list[_Source]]] = []
    for place, source in enumerate(sources):
        image = optional_object(source, "image")
        images = [] if image is None else [image]
        url = filled_text(source, "url")
        same_post = joined and url == filled_text(joined[-1][1], "url") and "://twitter.com/" in (url or "").lower()
        if same_post and _is_continuation(source, images):
            joined[-1][2].extend(images)
        else:
            joined.append((place, source, images))
    return joined


def _is_continuation(source: _Source, images: list[_Source]) -> bool:
    """Return whether an embed holds one image and nothing else to read."""
    others = ("timestamp", "author", "color", "footer")
    return (
        len(images) == 1
        and all(source.get(key) is None for key in others)
        and filled_text(source, "description") is None
        and not objects(source, "fields")
    )


def _embed(source: _Source, images: list[_Source], view: GuildView, *, latest: bool) -> JsonObject:
    color = optional_integer(source, "color")
    description = optional_text(source, "description") or ""
    written: JsonObject = {
        "title": readable(optional_text(source, "title") or "", view),
        "url": filled_text(source, "url"),
        "timestamp": stamp_or_none(filled_text(source, "timestamp")),
        "description": readable(description, view),
    }
    if color is not None:
        written["color"] = hex_color(color)
    if (author := optional_object(source, "author")) is not None:
        written["author"] = {
            "name": optional_text(author, "name"),
            "url": optional_text(author, "url"),
            **_icon(author, latest=latest),
        }
    if (thumbnail := optional_object(source, "thumbnail")) is not None:
        written["thumbnail"] = _media(thumbnail, latest=latest)
    if images:
        written["image"] = _media(images[0], latest=latest)
    if (video := optional_object(source, "video")) is not None:
        written["video"] = _media(video, latest=latest)
    if source.get("footer") is not None:
        written["footer"] = within(source, "footer", lambda footer: _footer(footer, latest=latest))
    written["images"] = [_media(image, latest=latest) for image in images]
    written["fields"] = each(source, "fields", lambda field: _field(field, view))
    written["inlineEmojis"] = [emoji_object(emoji) for emoji in inline_emoji(description)]
    return written


def _footer(source: _Source, *, latest: bool) -> JsonObject:
    return {"text": text(source, "text"), **_icon(source, latest=latest)}


def _icon(source: _Source, *, latest: bool) -> JsonObject:
    icon_url = filled_text(source, "icon_url")
    if icon_url is None:
        return {}
    canonical: JsonObject = {"iconCanonicalUrl": icon_url} if latest else {}
    return {"iconUrl": filled_text(source, "proxy_icon_url") or icon_url, **canonical}


def _media(source: _Source, *, latest: bool) -> JsonObject:
    url = filled_text(source, "url")
    where: JsonObject = {} if url is None else {"url": filled_text(source, "proxy_url") or url}
    if latest and url is not None:
        where["canonicalUrl"] = url
    return {**where, "width": optional_integer(source, "width"), "height": optional_integer(source, "height")}


def _field(source: _Source, view: GuildView) -> JsonObject:
    return {
        "name": readable(text(source, "name"), view),
        "value": readable(text(source, "value"), view),
        "isInline": flag(source, "inline"),
    }
