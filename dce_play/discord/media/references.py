"""Which media a message names: in DiscordChatExporter's form, as files and our exporter have it, and in forwards."""

from collections.abc import Iterator, Mapping
from typing import Any
from urllib.parse import quote

from dce_play.discord.media_store.policy import MediaKind, MediaMode, MediaReference
from dce_play.discord.media_store.urls import last_part

_CDN = "https://cdn.discordapp.com/attachments"


def message_references(message: Mapping[str, Any], channel_id: str, mode: MediaMode) -> Iterator[MediaReference]:
    """Yield the media of one message of a channel file; what is not of its usual shape is passed over."""
    message_id = _text(message.get("id")) or None
    found = [*_content(message, channel_id), *_forwards(message, channel_id)]
    if mode is MediaMode.ALL:
        found += [(kind, url, "", None) for kind, url in _pictures(message)]
    for kind, url, name, size in found:
        yield reference(kind, url, name=name, size=size, message_id=message_id, channel_id=channel_id)


def page_references(source: Mapping[str, Any], channel_id: str) -> Iterator[MediaReference]:
    """Yield the attachments in the messages that a message of Discord's API forwards: files of 2.46 lack them."""
    for snapshot in _objects(source.get("message_snapshots")):
        inner = snapshot.get("message")
        for item in _objects((inner if isinstance(inner, Mapping) else snapshot).get("attachments")):
            url = _text(item.get("url"))
            if _is_web(url):
                yield reference(
                    MediaKind.ATTACHMENT,
                    url,
                    name=_text(item.get("filename")),
                    size=_size(item.get("size")),
                    message_id=_text(source.get("id")) or None,
                    channel_id=channel_id,
                )


def guild_icon(head_url: str) -> MediaReference:
    """Return the reference to a guild's icon, which no message carries."""
    return reference(MediaKind.GUILD_ICON, head_url)


def reference(
    kind: MediaKind,
    url: str,
    *,
    name: str = "",
    size: int | None = None,
    message_id: str | None = None,
    channel_id: str | None = None,
) -> MediaReference:
    """Return a reference whose texts can be written anywhere: half surrogate pairs are replaced."""
    return MediaReference(
        url=_whole(url),
        kind=kind,
        name=_whole(name or last_part(url)),
        size=size,
        message_id=message_id,
        channel_id=channel_id,
    )


def attachment_urls(channel_id: str, attachment_id: str, file_name: str) -> tuple[str, ...]:
    """Return the URLs that an attachment may have on Discord's server: its name as it is, and percent-encoded."""
    encoded = quote(_whole(file_name), safe="")
    return tuple(dict.fromkeys(f"{_CDN}/{channel_id}/{attachment_id}/{name}" for name in (file_name, encoded)))


_Found = tuple[MediaKind, str, str, int | None]


def _content(message: Mapping[str, Any], channel_id: str) -> Iterator[_Found]:
    for item in _objects(message.get("attachments")):
        url, name = _text(item.get("url")), _text(item.get("fileName"))
        if not _is_web(url):  # DiscordChatExporter's --media has written a path here
            attachment_id = _text(item.get("id"))
            if not attachment_id or not name:
                continue
            url = attachment_urls(channel_id, attachment_id, name)[0]
        yield MediaKind.ATTACHMENT, url, name, _size(item.get("fileSizeBytes"))


def _forwards(message: Mapping[str, Any], channel_id: str) -> Iterator[_Found]:
    inner = message.get("forwardedMessage")
    if isinstance(inner, Mapping):
        yield from _content(inner, channel_id)


def _pictures(message: Mapping[str, Any]) -> Iterator[tuple[MediaKind, str]]:
    inner = message.get("forwardedMessage")
    for each in (message, inner if isinstance(inner, Mapping) else {}):
        for embed in _objects(each.get("embeds")):
            yield from _embed(embed)
        yield from _urls(MediaKind.STICKER, _objects(each.get("stickers")), "sourceUrl")
        yield from _urls(MediaKind.EMOJI, _objects(each.get("inlineEmojis")), "imageUrl")
    interaction = message.get("interaction")
    people = [message.get("author"), *_objects(message.get("mentions"))]
    people += [interaction.get("user")] if isinstance(interaction, Mapping) else []
    for reaction in _objects(message.get("reactions")):
        yield from _urls(MediaKind.EMOJI, _objects([reaction.get("emoji")]), "imageUrl")
        people += _objects(reaction.get("users"))
    yield from _urls(MediaKind.AVATAR, _objects(people), "avatarUrl")


def _embed(embed: Mapping[str, Any]) -> Iterator[tuple[MediaKind, str]]:
    yield from _urls(MediaKind.EMBED_THUMBNAIL, _objects([embed.get("thumbnail")]), "url")
    yield from _urls(MediaKind.EMBED_IMAGE, [*_objects([embed.get("image")]), *_objects(embed.get("images"))], "url")
    yield from _urls(MediaKind.EMBED_VIDEO, _objects([embed.get("video")]), "url")
    yield from _urls(MediaKind.EMBED_AUTHOR_ICON, _objects([embed.get("author")]), "iconUrl")
    yield from _urls(MediaKind.EMBED_FOOTER_ICON, _objects([embed.get("footer")]), "iconUrl")
    yield from _urls(MediaKind.EMOJI, _objects(embed.get("inlineEmojis")), "imageUrl")


def _urls(kind: MediaKind, items: list[Mapping[str, Any]], key: str) -> Iterator[tuple[MediaKind, str]]:
    for item in items:
        url = _text(item.get(key))
        if _is_web(url):
            yield kind, url


def _objects(value: object) -> list[Mapping[str, Any]]:
    return [each for each in value if isinstance(each, Mapping)] if isinstance(value, list) else []


def _text(value: object) -> str:
    return value if isinstance(value, str) else ""


def _size(value: object) -> int | None:
    return value if type(value) is int and value >= 0 and value.bit_length() < 64 else None  # as sizes of files are


def _is_web(url: str) -> bool:
    return url.lower().startswith(("https://", "http://"))


def _whole(text: str) -> str:
    return text.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
