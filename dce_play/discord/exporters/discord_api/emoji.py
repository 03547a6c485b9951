"""Emoji as Discord names them: custom ones of a guild, and standard ones with their short codes."""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from importlib import resources
from typing import Any

from dce_play.discord.exporters.discord_api import images
from dce_play.discord.exporters.discord_api.answers import filled_text, flag, optional_identifier
from dce_play.discord.exporters.discord_api.json_writer import JsonObject

_VARIATION_SELECTOR = "\ufe0f"
_SKIN_TONES = "\U0001f3fb\U0001f3fc\U0001f3fd\U0001f3fe\U0001f3ff"
_CODES = "emoji_codes.tsv"


@dataclass(frozen=True, slots=True)
class Emoji:
    """An emoji: ``emoji_id`` is ``None`` for a standard one, whose ``name`` is the character itself."""

    emoji_id: str | None
    name: str
    is_animated: bool = False

    @property
    def code(self) -> str:
        """The custom name, or Discord's short code; the character where it has none."""
        return self.name if self.emoji_id is not None else short_code(self.name) or self.name

    @property
    def image_url(self) -> str:
        if self.emoji_id is None:
            return images.standard_emoji(self.name)
        return images.custom_emoji(self.emoji_id, animated=self.is_animated)

    @property
    def reaction_key(self) -> str:
        """How Discord's paths name the emoji."""
        return self.name if self.emoji_id is None else f"{self.name}:{self.emoji_id}"


def parse_emoji(source: Mapping[str, Any]) -> Emoji:
    """Return the emoji of a reaction. A custom emoji that was deleted may have lost its name."""
    name = filled_text(source, "name") or "<unknown emoji>"
    return Emoji(optional_identifier(source, "id"), name, flag(source, "animated"))


def emoji_object(emoji: Emoji) -> JsonObject:
    """Return an emoji; a standard one has an empty id."""
    return {
        "id": emoji.emoji_id or "",
        "name": emoji.name,
        "code": emoji.code,
        "isAnimated": emoji.is_animated,
        "imageUrl": emoji.image_url,
    }


def short_code(character: str) -> str | None:
    """Return the short code of a standard emoji, such as ``thumbsup_tone3``."""
    plain = character.replace(_VARIATION_SELECTOR, "")
    tones = [tone for tone in plain if tone in _SKIN_TONES]
    for tone in tones:
        plain = plain.replace(tone, "")
    code = _codes().get(plain)
    if code is None or not tones:
        return code
    return f"{code}_tone{_SKIN_TONES.index(tones[0]) + 1}" if len(tones) == 1 else None


def with_short_code(code: str) -> str | None:
    """Return the standard emoji that a short code names."""
    return _characters().get(code)


@cache
def _codes() -> dict[str, str]:
    table = resources.files("dce_play.discord.exporters.discord_api").joinpath(_CODES).read_text(encoding="utf-8")
    rows = (line.split("\t") for line in table.splitlines())
    return {"".join(chr(int(point, 16)) for point in points.split("-")): code for points, code in rows}


@cache
def _characters() -> dict[str, str]:
    return {code: character for character, code in reversed(_codes().items())}
