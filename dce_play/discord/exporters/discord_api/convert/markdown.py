"""Which emoji a text shows: Discord's markdown, read as far as that question needs.

Discord has no recursive grammar. Of all rules the one that matches first in the text wins, at the same place the one
that stands first, and its inside is read again by the same rules. Code, links, lists and escaped characters show no
emoji. Reading takes time in proportion to the text's length, whatever the text: see ``markdown_rules``.

Source: docs/design/exporter.md, "Emoji in texts".
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass, field

from dce_play.discord.exporters.discord_api.convert.emoji import Emoji, with_short_code
from dce_play.discord.exporters.discord_api.convert.markdown_rules import (
    LIST,
    NOWHERE,
    QUOTE,
    QUOTES,
    RULES,
    STANDARD,
    Match,
    Rule,
    Text,
)

_DEEPEST = 32
_CANDIDATES = re.compile(rf"{STANDARD}|<a?:|:(\w+):")


@dataclass(slots=True)
class Steps:
    """How much work a reading was: the places that were looked at."""

    count: int = 0


def inline_emoji(text: str, steps: Steps | None = None) -> list[Emoji]:
    """Return the emoji that a text shows, in order, each name once."""
    if not any(found[1] is None or with_short_code(found[1]) for found in _CANDIDATES.finditer(text)):
        return []
    by_name: dict[str, Emoji] = {}
    for emoji in _emoji(text, begins_line=True, depth=0, steps=steps or Steps()):
        by_name.setdefault(emoji.name, emoji)
    return list(by_name.values())


@dataclass(slots=True)
class _Upcoming:
    """Where one rule matches next."""

    rule: Rule
    text: Text
    steps: Steps
    start: int = NOWHERE
    match: Match = field(default_factory=lambda: Match(0, 0, 0))

    def move_to(self, start: int) -> None:
        """Look for the first match at or behind ``start``; ``NOWHERE`` once there is none."""
        at = start
        while True:
            self.steps.count += 1
            place = self._next(at)
            if place == NOWHERE:
                self.start = NOWHERE
                return
            found = self.rule.match(self.text, place)
            if found is not None:
                self.start, self.match = place, found
                return
            at = place + 1

    @property
    def is_usable(self) -> bool:
        """Whether the match shows something. A code that nobody knows hides those behind it, as in the original."""
        return (
            self.rule.name != "coded"
            or with_short_code(self.text.text[self.start + 1 : self.match.end - 1]) is not None
        )

    def _next(self, start: int) -> int:
        return self.text.next_list(start) if self.rule.name == "list" else self.text.next_place(self.rule.begin, start)


def _emoji(source: str, *, begins_line: bool, depth: int, steps: Steps) -> Iterator[Emoji]:
    if depth >= _DEEPEST or not source:
        return
    text = Text(source, begins_line=begins_line)
    upcoming = [_Upcoming(rule, text, steps) for rule in RULES]
    start = 0
    while start < len(source):
        first: _Upcoming | None = None
        for each in upcoming:
            if each.start < start:
                each.move_to(start)
            if each.start != NOWHERE and (first is None or each.start < first.start) and each.is_usable:
                first = each
        upcoming = [each for each in upcoming if each.start != NOWHERE]
        if first is None:
            return
        for inner_start, inner_end in _insides(first):
            inner_begins = begins_line if inner_start == 0 else source[inner_start - 1] == "\n"
            yield from _emoji(source[inner_start:inner_end], begins_line=inner_begins, depth=depth + 1, steps=steps)
        yield from _shown(first)
        start = _end_of(first)


def _end_of(found: _Upcoming) -> int:
    whole = {"list": LIST, "quotes": QUOTES}.get(found.rule.name)
    match = None if whole is None else whole.match(found.text.text, found.start)
    return found.match.end if match is None else match.end()


def _insides(found: _Upcoming) -> Iterator[tuple[int, int]]:
    """Yield what is read again."""
    if found.rule.name == "inside":
        yield found.match.inner_start, found.match.inner_end
    elif found.rule.name == "quotes":
        at, end = found.start, _end_of(found)
        while at < end and (line := QUOTE.match(found.text.text, at)) is not None:
            yield line.start(1), line.end(1)
            at = line.end()


def _shown(found: _Upcoming) -> Iterator[Emoji]:
    whole = found.text.text[found.start : found.match.end]
    match found.rule.name:
        case "standard":
            yield Emoji(None, whole)
        case "custom":
            name = found.text.text[found.match.inner_start : found.match.inner_end]
            yield Emoji(found.text.text[found.match.inner_end + 1 : found.match.end - 1], name, whole[1] == "a")
        case "coded":
            yield Emoji(None, with_short_code(whole[1:-1]) or whole)
