"""Emoji as Discord names them: custom ones of a guild, and standard ones with their short codes."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from importlib import resources
from typing import Any

from dce_play.discord.exporters.discord_api.convert import images
from dce_play.discord.exporters.discord_api.convert.json_writer import JsonObject
from dce_play.discord.exporters.discord_api.rest.answers import filled_text, flag, optional_identifier

_SKIN_TONES = (
    ("\U0001f3fb", "light"),
    ("\U0001f3fc", "medium_light"),
    ("\U0001f3fd", "medium"),
    ("\U0001f3fe", "medium_dark"),
    ("\U0001f3ff", "dark"),
)
_CODES = "emoji_codes.tsv"
"""A line is an emoji, a tab, its code and then its other codes. A line with ``~`` is five: there stands the skin tone,
which codes have as a number, where the line has ``#``, or in words, where it has ``@``."""


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
    name = filled_text(source, "name") or "Unknown Emoji"
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
    """Return the short code of a standard emoji, such as ``thumbsup_tone3``. Spelling counts: ``\u2600`` has none."""
    return _tables()[0].get(character)


def with_short_code(code: str) -> str | None:
    """Return the standard emoji that a short code names, be it its first or another of its codes."""
    return _tables()[1].get(code)


@cache
def _tables() -> tuple[dict[str, str], dict[str, str]]:
    """Return the first code of each emoji, and the emoji of each code."""
    text = resources.files("dce_play.discord.exporters.discord_api").joinpath(_CODES).read_text(encoding="utf-8")
    codes: dict[str, str] = {}
    emoji: dict[str, str] = {}
    for line in text.splitlines():
        character, _, names = line.partition("\t")
        for one, its_names in _in_every_tone(character, names) if "~" in character else ((character, names),):
            every = its_names.split(" ")
            codes[one] = every[0]
            emoji |= dict.fromkeys(every, one)
    return codes, emoji


def _in_every_tone(character: str, names: str) -> Iterator[tuple[str, str]]:
    for number, (tone, word) in enumerate(_SKIN_TONES, start=1):
        yield character.replace("~", tone), names.replace("#", f"tone{number}").replace("@", f"{word}_skin_tone")
