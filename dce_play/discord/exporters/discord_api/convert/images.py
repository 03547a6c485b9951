"""The URLs that Discord's and Twemoji's image servers use.

Source: discord.com/developers/docs/reference, "Image Formatting"; sizes as DiscordChatExporter 2.46 asks for them.
"""

_CDN = "https://cdn.discordapp.com"
_ZERO_WIDTH_JOINER = "\u200d"
_VARIATION_SELECTOR = "\ufe0f"


def _hashed(folder: str, image_hash: str) -> str:
    extension = "gif" if image_hash.startswith("a_") else "png"
    return f"{_CDN}/{folder}/{image_hash}.{extension}?size=512"


def guild_icon(guild_id: str, image_hash: str | None) -> str:
    """Return a guild's icon, or the placeholder that Discord shows without one."""
    return fallback_avatar(0) if image_hash is None else _hashed(f"icons/{guild_id}", image_hash)


def channel_icon(channel_id: str, image_hash: str) -> str:
    """Return a group chat's icon."""
    return _hashed(f"channel-icons/{channel_id}", image_hash)


def user_avatar(user_id: str, image_hash: str) -> str:
    """Return the avatar that a user has everywhere."""
    return _hashed(f"avatars/{user_id}", image_hash)


def member_avatar(guild_id: str, user_id: str, image_hash: str) -> str:
    """Return the avatar that a member has in one guild."""
    return _hashed(f"guilds/{guild_id}/users/{user_id}/avatars", image_hash)


def fallback_avatar(index: int) -> str:
    """Return one of Discord's placeholders."""
    return f"{_CDN}/embed/avatars/{index}.png"


def sticker(sticker_id: str, extension: str) -> str:
    """Return a sticker's file."""
    return f"{_CDN}/stickers/{sticker_id}.{extension}"


def custom_emoji(emoji_id: str, *, animated: bool) -> str:
    """Return a guild's own emoji."""
    return f"{_CDN}/emojis/{emoji_id}.{'gif' if animated else 'png'}"


def standard_emoji(emoji: str) -> str:
    """Return Twemoji's drawing. The variation selector counts only in sequences that are joined."""
    kept = emoji if _ZERO_WIDTH_JOINER in emoji else emoji.replace(_VARIATION_SELECTOR, "")
    name = "-".join(f"{ord(character):x}" for character in kept)
    return f"https://cdn.jsdelivr.net/gh/twitter/twemoji@latest/assets/svg/{name}.svg"
