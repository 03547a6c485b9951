"""The rules of Discord's markdown, each able to tell in one pass where it matches next.

A pattern with ``.+?`` that finds no end is tried again from every later beginning: text made of asterisks costs its
length squared, and anybody can post that. So no rule here searches for its end. Beginnings and ends are collected
once for a text, and whether there is an end behind a beginning is looked up.

Source: docs/design/exporter.md, "Emoji in texts"; what the rules match is DiscordChatExporter 2.46's.
"""

import re
from bisect import bisect_left
from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from typing import NamedTuple

NOWHERE = -1
LIST_MARK = r"[-*]\s"
LIST = re.compile(r"^(\s*)(?:[-*]\s(?:.+(?:\n\s\1.*)*)?\n?)+", re.MULTILINE)
QUOTES = re.compile(r"(?:^>\s.*\n?){2,}", re.MULTILINE)
QUOTE = re.compile(r"^>\s(.*\n?)", re.MULTILINE)
PUNCTUATION = ".,:;\"'"


class Match(NamedTuple):
    """Where a rule matched, and what is inside."""

    end: int
    inner_start: int
    inner_end: int


class Text:
    """One text with what its rules look up; each list is made when it is first needed."""

    def __init__(self, text: str, *, begins_line: bool) -> None:
        self.text = text
        self.begins_line = begins_line
        """Whether the text's first character stands at a line's beginning."""
        self._places: dict[str, list[int]] = {}

    def places(self, pattern: str) -> list[int]:
        """Return where a pattern matches, overlaps included. It must be one that ends within a few characters."""
        found = self._places.get(pattern)
        if found is None:
            found = [match.start() for match in re.finditer(f"(?={pattern})", self.text, re.MULTILINE)]
            if found and found[0] == 0 and pattern.startswith("^") and not self.begins_line:
                del found[0]
            self._places[pattern] = found
        return found

    def next_place(self, pattern: str, start: int) -> int:
        """Return the first place at or behind ``start`` where a pattern matches, else ``NOWHERE``."""
        places = self.places(pattern)
        index = bisect_left(places, start)
        return places[index] if index < len(places) else NOWHERE

    def line_end(self, start: int) -> int:
        """Return where the line that this character is on ends: at its line break, else behind the text."""
        found = self.next_place(r"\n", start)
        return len(self.text) if found == NOWHERE else found

    @cached_property
    def list_places(self) -> list[int]:
        """Where a list begins: at a line's beginning, with nothing but white space before its first mark."""
        found: list[int] = []
        for mark in self.places(LIST_MARK):
            blank = mark
            while blank > 0 and self.text[blank - 1].isspace():
                blank -= 1
            found += [at for at in range(blank, mark + 1) if (self.text[at - 1] == "\n" if at else self.begins_line)]
        return found

    def next_list(self, start: int) -> int:
        """Return the first place at or behind ``start`` where a list begins, else ``NOWHERE``."""
        index = bisect_left(self.list_places, start)
        return self.list_places[index] if index < len(self.list_places) else NOWHERE

    @cached_property
    def custom_ends(self) -> list[tuple[int, int, int]]:
        """Where ``:digits>`` stands: the colon, the first digit, and behind the bracket."""
        return [(match.start(), match.start() + 1, match.end()) for match in re.finditer(r":\d+>", self.text)]

    @cached_property
    def _custom_colons(self) -> list[int]:
        return [colon for colon, _, _ in self.custom_ends]

    def custom_end(self, name_start: int) -> tuple[int, int, int] | None:
        """Return the end of the custom emoji whose name starts here: on the same line, after one character at least."""
        index = bisect_left(self._custom_colons, name_start + 1)
        if index == len(self.custom_ends):
            return None
        found = self.custom_ends[index]
        return found if found[0] <= self.line_end(name_start) else None

    @cached_property
    def _runs(self) -> list[tuple[int, int, int]]:
        """Every run without white space: its end, and behind its last good character, alone and before ``>``."""
        runs: list[tuple[int, int, int]] = []
        for run in re.finditer(r"\S+", self.text):
            good = run.start() + len(run[0].rstrip(PUNCTUATION))
            closed = NOWHERE
            at = run[0].rfind(">")
            while at > 0 and closed == NOWHERE:
                if run[0][at - 1] not in PUNCTUATION:
                    closed = run.start() + at
                at = run[0].rfind(">", 0, at)
            runs.append((run.end(), good, closed))
        return runs

    @cached_property
    def _run_ends(self) -> list[int]:
        return [end for end, _, _ in self._runs]

    def run_at(self, place: int) -> tuple[int, int, int]:
        """Return the run without white space that this character is in."""
        return self._runs[bisect_left(self._run_ends, place + 1)]


@dataclass(frozen=True, slots=True, kw_only=True)
class Rule:
    """One rule: where it may begin, and what it matches there, if it does."""

    name: str
    begin: str
    """Matches where the rule may begin; ends within a few characters."""
    match: Callable[[Text, int], Match | None]


def _fixed(pattern: str) -> Callable[[Text, int], Match | None]:
    """Match a pattern that costs no more than it takes in."""
    compiled = re.compile(pattern, re.MULTILINE)

    def match(text: Text, start: int) -> Match | None:
        found = compiled.match(text.text, start)
        return None if found is None else Match(found.end(), found.end(), found.end())

    return match


def _between(opening: int, end: str, closing: int, *, keep: int = 0) -> Callable[[Text, int], Match | None]:
    """Match from a mark of so many characters to the next end, of so many, with something in between.

    ``keep`` characters of either mark belong to the inside.
    """

    def match(text: Text, start: int) -> Match | None:
        close = text.next_place(end, start + opening + 1)
        if close == NOWHERE:
            return None
        return Match(close + closing, start + opening - keep, close + keep)

    return match


def _code_block(text: Text, start: int) -> Match | None:
    language = re.compile(r"\w*\n").match(text.text, start + 3)
    close = NOWHERE if language is None else text.next_place("```", language.end() + 1)
    if close == NOWHERE:
        close = text.next_place("```", start + 4)
    return None if close == NOWHERE else Match(close + 3, close, close)


def _inline_code(text: Text, start: int) -> Match | None:
    double = text.text.startswith("``", start)
    inside = start + (2 if double else 1)
    close = text.next_place("`", inside)
    if close in {NOWHERE, inside} or (double and not text.text.startswith("``", close)):
        return None
    return Match(close + (2 if double else 1), close, close)


def _masked_link(text: Text, start: int) -> Match | None:
    line_end = text.line_end(start)
    close = text.next_place(r"\]\(", start + 2)
    if close == NOWHERE or close > line_end:
        return None
    end = text.next_place(r"\)", close + 3)
    if end == NOWHERE or end > line_end:
        return None
    return Match(end + 1, start + 1, close)


def _link(text: Text, start: int) -> Match | None:
    content = text.text.index("//", start) + 2
    good = text.run_at(start)[1]
    return Match(good, good, good) if good > content else None


def _hidden_link(text: Text, start: int) -> Match | None:
    content = text.text.index("//", start) + 2
    closed = text.run_at(start)[2]
    return Match(closed + 1, closed, closed) if closed > content else None


def _custom_emoji(text: Text, start: int) -> Match | None:
    name_start = text.text.index(":", start) + 1
    end = text.custom_end(name_start)
    return None if end is None else Match(end[2], name_start, end[0])


def _all_lines(text: Text, start: int) -> Match | None:
    inner = start + 4
    return Match(len(text.text), inner, len(text.text)) if inner < len(text.text) else None


def _line(pattern: str) -> Callable[[Text, int], Match | None]:
    """Match a pattern of one or two lines whose first group is the inside."""
    compiled = re.compile(pattern, re.MULTILINE)

    def match(text: Text, start: int) -> Match | None:
        found = compiled.match(text.text, start)
        return None if found is None else Match(found.end(), found.start(1), found.end(1))

    return match


ASTRAL = "\U00010000-\U0010ffff"
SYMBOLS = (
    "\u2600-\u2604\u260e\u2611\u2614\u2615\u2618\u261d\u2620\u2622\u2623\u2626\u262a\u262e\u262f\u2638-\u263a"
    "\u2640\u2642\u2648-\u2653\u265f\u2660\u2663\u2665\u2666\u2668\u267b\u267e\u267f\u2692-\u2697\u2699\u269b\u269c"
    "\u26a0\u26a1\u26a7\u26aa\u26ab\u26b0\u26b1\u26bd\u26be\u26c4\u26c5\u26c8\u26ce\u26cf\u26d1\u26d3\u26d4"
    "\u26e9\u26ea\u26f0-\u26f5\u26f7-\u26fa\u26fd"
)
ENCLOSING = "\u0488\u0489\u1abe\u20dd-\u20e0\u20e2-\u20e4\ua670-\ua672"
STANDARD = rf"[\U0001f1e6-\U0001f1ff]{{2}}|\d[{ENCLOSING}]|[{ASTRAL}]|[{SYMBOLS}]"

RULES = (
    Rule(name="shrug", begin="¯", match=_fixed(r"¯\\_\(ツ\)_/¯")),
    Rule(name="ignored", begin="[\u26a7\u2640\u2642\u2695\u267e\u00a9\u00ae\u2122]", match=_fixed(".")),
    Rule(name="escaped", begin=r"\\[^a-zA-Z0-9\s]", match=_fixed(r"\\[^a-zA-Z0-9\s]")),
    Rule(name="inside", begin=r"\*\*\*", match=_between(3, r"\*\*\*(?!\*)", 3, keep=2)),
    Rule(name="inside", begin="___", match=_between(3, "___(?!_)", 3, keep=2)),
    Rule(name="inside", begin=r"\*\*", match=_between(2, r"\*\*(?!\*)", 2)),
    Rule(name="inside", begin=r"\*(?!\s)", match=_between(1, r"(?<![\s*])\*(?!\*)", 1)),
    Rule(name="inside", begin="__", match=_between(2, "__(?!_)", 2)),
    Rule(name="inside", begin="_", match=_between(1, r"_(?!\w)", 1)),
    Rule(name="inside", begin="~~", match=_between(2, "~~", 2)),
    Rule(name="inside", begin=r"\|\|", match=_between(2, r"\|\|", 2)),
    Rule(name="inside", begin=r"^>>>\s", match=_all_lines),
    Rule(name="quotes", begin=r"^>\s", match=_fixed(r"(?:^>\s.*\n?){2}")),
    Rule(name="inside", begin=r"^>\s", match=_line(r"^>\s(.+\n?)")),
    Rule(name="inside", begin=r"^#{1,3}\s", match=_line(r"^#{1,3}\s(.+)\n")),
    Rule(name="list", begin=LIST_MARK, match=_fixed(r"\s*[-*]\s")),
    Rule(name="code", begin="```", match=_code_block),
    Rule(name="code", begin="`", match=_inline_code),
    Rule(name="mention", begin="@[eh]|<[@#]", match=_fixed(r"@everyone|@here|<@!?\d+>|<\#!?\d+>|<@&\d+>")),
    Rule(name="inside", begin=r"\[", match=_masked_link),
    Rule(name="link", begin="https?://", match=_link),
    Rule(name="link", begin="<https?://", match=_hidden_link),
    Rule(name="standard", begin=STANDARD, match=_fixed(STANDARD)),
    Rule(name="custom", begin="<a?:", match=_custom_emoji),
    Rule(name="coded", begin=":", match=_fixed(r":\w+:")),
    Rule(name="time", begin="<t:", match=_fixed(r"<t:-?\d+(?::\w)?>")),
)
"""In the order in which they win where several match at the same place."""
