"""Which emoji a text shows: Discord's markdown, read as far as that question needs.

Discord has no recursive grammar. Of all rules the one that matches first in the text wins, at the same place the one
that stands first here, and its inside is read again by the same rules. Code, links and escaped characters show no
emoji.

Source: docs/design/exporter.md, "Emoji in texts"; the order of the rules is DiscordChatExporter 2.46's.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from enum import Enum, auto

from dce_play.discord.exporters.discord_api.emoji import Emoji, with_short_code

_DEEPEST = 32

_ASTRAL = "\U00010000-\U0010ffff"
_SYMBOLS = (
    "\u2600-\u2604\u260e\u2611\u2614\u2615\u2618\u261d\u2620\u2622\u2623\u2626\u262a\u262e\u262f\u2638-\u263a"
    "\u2640\u2642\u2648-\u2653\u265f\u2660\u2663\u2665\u2666\u2668\u267b\u267e\u267f\u2692-\u2697\u2699\u269b\u269c"
    "\u26a0\u26a1\u26a7\u26aa\u26ab\u26b0\u26b1\u26bd\u26be\u26c4\u26c5\u26c8\u26ce\u26cf\u26d1\u26d3\u26d4"
    "\u26e9\u26ea\u26f0-\u26f5\u26f7-\u26fa\u26fd"
)
_ENCLOSING = "\u0488\u0489\u1abe\u20dd-\u20e0\u20e2-\u20e4\ua670-\ua672"
_STANDARD = rf"[\U0001f1e6-\U0001f1ff]{{2}}|\d[{_ENCLOSING}]|[{_ASTRAL}]|[{_SYMBOLS}]"
_CODED = r":(\w+):"
_CUSTOM = r"<(a)?:(.+?):(\d+?)>"


class _Shows(Enum):
    """What a rule's match shows."""

    TEXT = auto()
    INSIDE = auto()
    LINES = auto()
    STANDARD = auto()
    CUSTOM = auto()
    CODED = auto()


@dataclass(frozen=True, slots=True)
class _Rule:
    pattern: re.Pattern[str]
    shows: _Shows


def _rule(pattern: str, shows: _Shows = _Shows.TEXT, *, flags: int = 0) -> _Rule:
    return _Rule(re.compile(pattern, re.MULTILINE | flags), shows)


_LINK = r"https?://\S*[^.,:;\"'\s]"
_RULES = (
    _rule(r"¯\\_\(ツ\)_/¯"),
    _rule("[\u26a7\u2640\u2642\u2695\u267e\u00a9\u00ae\u2122]"),
    _rule(r"\\[^a-zA-Z0-9\s]"),
    _rule(r"\*(\*\*.+?\*\*)\*(?!\*)", _Shows.INSIDE, flags=re.DOTALL),
    _rule(r"_(__.+?__)_(?!_)", _Shows.INSIDE, flags=re.DOTALL),
    _rule(r"\*\*(.+?)\*\*(?!\*)", _Shows.INSIDE, flags=re.DOTALL),
    _rule(r"\*(?!\s)(.+?)(?<![\s*])\*(?!\*)", _Shows.INSIDE, flags=re.DOTALL),
    _rule(r"__(.+?)__(?!_)", _Shows.INSIDE, flags=re.DOTALL),
    _rule(r"_(.+?)_(?!\w)", _Shows.INSIDE, flags=re.DOTALL),
    _rule(r"~~(.+?)~~", _Shows.INSIDE, flags=re.DOTALL),
    _rule(r"\|\|(.+?)\|\|", _Shows.INSIDE, flags=re.DOTALL),
    _rule(r"^>>>\s(.+)", _Shows.INSIDE, flags=re.DOTALL),
    _rule(r"(?:^>\s.*\n?){2,}", _Shows.LINES),
    _rule(r"^>\s(.+\n?)", _Shows.INSIDE),
    _rule(r"^#{1,3}\s(.+)\n", _Shows.INSIDE),
    _rule(r"^(\s*)(?:[-*]\s(?:.+(?:\n\s\1.*)*)?\n?)+", _Shows.LINES),
    _rule(r"```(?:\w*\n)?.+?```", flags=re.DOTALL),
    _rule(r"(`{1,2})[^`]+\1", flags=re.DOTALL),
    _rule(r"@everyone|@here|<@!?\d+>|<\#!?\d+>|<@&\d+>"),
    _rule(r"\[(.+?)\]\(.+?\)", _Shows.INSIDE),
    _rule(_LINK),
    _rule(rf"<{_LINK}>"),
    _rule(_STANDARD, _Shows.STANDARD),
    _rule(_CUSTOM, _Shows.CUSTOM),
    _rule(_CODED, _Shows.CODED),
    _rule(r"<t:-?\d+(?::\w)?>"),
)
_LINE = re.compile(r"^[^\S\n]*(?:[->*]\s)?(.+)", re.MULTILINE)
"""A line of a list or a quote; group 1 is what stands behind its mark."""
_CANDIDATES = re.compile(f"{_STANDARD}|{_CUSTOM}|{_CODED}")


def inline_emoji(text: str) -> list[Emoji]:
    """Return the emoji that a text shows, in order, each name once."""
    if not any(found[4] is None or with_short_code(found[4]) for found in _CANDIDATES.finditer(text)):
        return []
    by_name: dict[str, Emoji] = {}
    for emoji in _emoji(text, 0, len(text), 0):
        by_name.setdefault(emoji.name, emoji)
    return list(by_name.values())


def _emoji(text: str, start: int, end: int, depth: int) -> Iterator[Emoji]:
    if depth >= _DEEPEST:
        return
    # A rule is searched again only once the text has moved past what it last found.
    upcoming = [rule.pattern.search(text, start, end) for rule in _RULES]
    while start < end:
        for index, found in enumerate(upcoming):
            if found is not None and found.start() < start:
                upcoming[index] = _RULES[index].pattern.search(text, start, end)
        usable = [
            (rule, found)
            for rule, found in zip(_RULES, upcoming, strict=True)
            if found is not None and (rule.shows is not _Shows.CODED or with_short_code(found[1]))
        ]
        if not usable:
            return
        rule, first = min(usable, key=lambda pair: pair[1].start())
        yield from _shown(rule, first, depth)
        start = first.end()


def _shown(rule: _Rule, found: re.Match[str], depth: int) -> Iterator[Emoji]:
    match rule.shows:
        case _Shows.TEXT:
            return
        case _Shows.INSIDE:
            yield from _emoji(found.string, found.start(1), found.end(1), depth + 1)
        case _Shows.LINES:
            for part in _LINE.finditer(found.string, found.start(), found.end()):
                yield from _emoji(part.string, part.start(1), part.end(1), depth + 1)
        case _Shows.STANDARD:
            yield Emoji(None, found[0])
        case _Shows.CUSTOM:
            yield Emoji(found[3], found[2], found[1] is not None)
        case _Shows.CODED:
            yield Emoji(None, with_short_code(found[1]) or found[0])
