"""One YAML document's events become plain values, the place of each, and problems.

Everything that makes YAML surprising is refused here: tags, merge keys, duplicate keys, keys that are not text,
aliases that grow without bound, and ``{{ }}`` without quotes, which YAML takes for a mapping.
"""

from bisect import bisect_right
from collections.abc import Callable, Collection, Iterator
from itertools import accumulate
from pathlib import Path
from typing import Any

from dce_play.playbook.document.scalars import doubt, resolve
from dce_play.source import JsonValue, NodeSpan, Pointer, Problem, Severity, Span

MAX_DEPTH = 60
MAX_NODES = 400_000
MAX_ALIASED_NODES = 10_000
_STRING_TAG = "tag:yaml.org,2002:str"
_ODD = "\0"
"""Stands in a pointer for a key that is no name."""


class TooLarge(Exception):
    """The document is over a budget; what was read so far is no use."""

    def __init__(self, problem: Problem) -> None:
        super().__init__(problem.message)
        self.problem = problem


def in_quotes(text: str) -> str | None:
    """Return the text as a quoted YAML scalar, or ``None`` where that is not simple."""
    for quote in ('"', "'"):
        if quote not in text and "\\" not in text and "\n" not in text:
            return f"{quote}{text}{quote}"
    return None


class Places:
    """From offsets in a text to lines and columns. Lines end at ``\\n`` only."""

    def __init__(self, path: Path, text: str) -> None:
        self._path = path
        self._size = len(text)
        self._starts = [0, *accumulate(len(line) + 1 for line in text.split("\n"))]

    def span(self, start: int, end: int) -> Span:
        start, end = min(start, self._size), min(end, self._size)
        line = bisect_right(self._starts, start) - 1
        end_line = line if end < self._starts[line + 1] else bisect_right(self._starts, end) - 1
        return Span(
            path=self._path,
            line=line + 1,
            column=start - self._starts[line] + 1,
            end_line=end_line + 1,
            end_column=end - self._starts[end_line] + 1,
        )


class Composer:
    """Reads one document's events. ``value``, ``spans``, ``problems`` and ``unreadable`` are its results."""

    def __init__(
        self, path: Path, text: str, *, masked: Collection[int], theirs: Callable[[Pointer], bool] | None = None
    ) -> None:
        """``masked`` are the offsets of values that were mended: read over, and told apart as unreadable.

        ``theirs`` tells which values are somebody else's: of how those are written nothing is told.
        """
        self._text = text
        self._places = Places(path, text)
        self._masked = masked
        self._theirs = theirs
        self._nodes = 0
        self._aliased = 0
        self._anchors: dict[str, tuple[JsonValue, int] | None] = {}
        self.value: JsonValue = None
        self.spans: dict[Pointer, NodeSpan] = {}
        self.problems: list[Problem] = []
        self.unreadable: set[Pointer] = set()

    def compose(self, events: Iterator[Any]) -> None:
        """Read the events of the first document.

        Raises: TooLarge; and whatever the parser raises.
        """
        next(events)  # stream start
        start = next(events)
        if type(start).__name__ == "StreamEndEvent":
            self.spans[()] = NodeSpan(key=None, value=self._places.span(0, 0))
            return
        if start.version not in {None, (1, 2)}:
            self._problem("E004", "only YAML 1.2 is read", start.start_mark.index, start.end_mark.index)
        self.value, _ = self._node(next(events), events, (), key=None)
        next(events)  # document end
        following = next(events)
        if type(following).__name__ != "StreamEndEvent":
            begin = following.start_mark.index
            self._problem("E001", "a second document begins here", begin, begin + 3, hint="one file holds one document")

    def _problem(
        self, rule: str, message: str, start: int, end: int, *, hint: str = "", replacement: str | None = None
    ) -> None:
        severity = Severity.WARNING if rule.startswith("W") else Severity.ERROR
        span = self._places.span(start, end)
        self.problems.append(
            Problem(rule=rule, message=message, span=span, severity=severity, hint=hint, replacement=replacement)
        )

    def _node(self, event: Any, events: Iterator[Any], pointer: Pointer, *, key: Span | None) -> tuple[JsonValue, int]:
        """Return the value and the offset of its end."""
        start, told = event.start_mark.index, len(self.problems)
        self._nodes += 1
        if self._nodes > MAX_NODES or len(pointer) > MAX_DEPTH:
            what = "too deep" if len(pointer) > MAX_DEPTH else "too large"
            span = self._places.span(start, start + 1)
            raise TooLarge(Problem(rule="E004", message=f"the document is {what}", span=span))
        kind = type(event).__name__
        if kind == "AliasEvent":
            value, end = self._alias(event, pointer)
        else:
            if event.anchor is not None:
                self._anchors[event.anchor] = None
            before = self._nodes + self._aliased
            self._check_tag(event)
            match kind:
                case "ScalarEvent":
                    value, end = self._scalar(event, pointer)
                case "SequenceStartEvent":
                    value, end = self._sequence(event, events, pointer)
                case _ if event.flow_style and self._text.startswith("{{", start):
                    value, end = self._unquoted_template(event, events, pointer)
                case _:
                    value, end = self._mapping(event, events, pointer)
            if event.anchor is not None:
                self._anchors[event.anchor] = (value, self._nodes + self._aliased - before + 1)
        self.spans[pointer] = NodeSpan(key=key, value=self._places.span(start, end))
        self._forget_theirs(pointer, told)
        return value, end

    def _forget_theirs(self, pointer: Pointer, told: int) -> None:
        """Keep no problem past the first ``told`` of a value that is not ours."""
        if self._theirs is not None and self._theirs(pointer):
            del self.problems[told:]

    def _alias(self, event: Any, pointer: Pointer) -> tuple[JsonValue, int]:
        start, end = event.start_mark.index, event.end_mark.index
        found = self._anchors.get(event.anchor)
        if found is None:
            why = "stands inside its own anchor" if event.anchor in self._anchors else "has no anchor"
            self._problem("E004", f'alias "{event.anchor}" {why}', start, end)
            self.unreadable.add(pointer)
            return None, end
        value, size = found
        self._aliased += size
        if self._aliased > MAX_ALIASED_NODES:
            message = f"aliases grow this document by more than {MAX_ALIASED_NODES} values"
            raise TooLarge(Problem(rule="E004", message=message, span=self._places.span(start, end)))
        return value, end

    def _check_tag(self, event: Any) -> None:
        tag = event.tag
        if tag is None or tag == "!" or (tag == _STRING_TAG and type(event).__name__ == "ScalarEvent"):
            return
        start = event.start_mark.index
        written = self._text[start : event.end_mark.index].split(maxsplit=1)
        word = written[0] if written else str(tag)
        self._problem("E004", f"tags such as {word} are not read", start, start + len(word), hint="remove the tag")

    def _check_question(self, event: Any) -> None:
        """Refuse ``{ ?word: … }``: for YAML 1.2 the question mark is a part of the word, for our reader it is none."""
        start = event.start_mark.index
        if event.style is None and start and self._text[start - 1 : start] == "?":
            self._problem("E004", "a ? before a word is read in two ways", start - 1, start, hint="quote the word")

    def _scalar(self, event: Any, pointer: Pointer) -> tuple[JsonValue, int]:
        start, end = event.start_mark.index, event.end_mark.index
        if start in self._masked:
            self.unreadable.add(pointer)
            return None, end
        text: str = event.value
        self._check_question(event)
        if event.style is not None or event.tag is not None:
            return self._whole_characters(text, start, end), end
        if (found := doubt(text)) is not None:
            rule, message = found
            quoted = f'"{text}"'
            self._problem(rule, message, start, end, hint=f"write {quoted}", replacement=quoted)
        return resolve(text), end

    def _whole_characters(self, text: str, start: int, end: int) -> str:
        """Join surrogate pairs, as JSON escapes write them."""
        if text.isascii():
            return text
        try:
            return text.encode("utf-16-le", "surrogatepass").decode("utf-16-le")
        except UnicodeDecodeError:
            self._problem("E001", "half a surrogate pair is not a character", start, end)
            return text.encode(errors="replace").decode()

    def _sequence(self, event: Any, events: Iterator[Any], pointer: Pointer) -> tuple[JsonValue, int]:
        items: list[JsonValue] = []
        end = event.end_mark.index
        for child in events:
            if type(child).__name__ == "SequenceEndEvent":
                return items, child.end_mark.index if event.flow_style else end
            value, end = self._node(child, events, (*pointer, len(items)), key=None)
            items.append(value)
        return items, end

    def _mapping(self, event: Any, events: Iterator[Any], pointer: Pointer) -> tuple[JsonValue, int]:
        fields: dict[str, JsonValue] = {}
        end = event.end_mark.index
        for child in events:
            if type(child).__name__ == "MappingEndEvent":
                return fields, child.end_mark.index if event.flow_style else end
            told = len(self.problems)
            name = self._key(child, events, pointer)
            if getattr(child, "value", None) != "<<":  # a merge can bring in what is ours
                self._forget_theirs((*pointer, name or _ODD), told)
            if name is None or name in fields:
                # What hangs under a bad key is read for its end only.
                kept, self.spans = self.spans, {}
                _, end = self._node(next(events), events, (*pointer, _ODD), key=None)
                self.spans = kept
                continue
            key = self._places.span(child.start_mark.index, child.end_mark.index)
            fields[name] = None
            fields[name], end = self._node(next(events), events, (*pointer, name), key=key)
        return fields, end

    def _key(self, event: Any, events: Iterator[Any], pointer: Pointer) -> str | None:
        start, end = event.start_mark.index, event.end_mark.index
        if type(event).__name__ != "ScalarEvent":
            self._odd_key(event, events, pointer)
            return None
        self._check_tag(event)
        self._check_question(event)
        name = self._whole_characters(event.value, start, end)
        if event.style is None and name == "<<":
            self._problem("E004", "merge keys are not read", start, end, hint="write the keys out, or use a role")
            return None
        if "{{" in name:
            self._problem("E104", "a key cannot be an expression", start, end)
            return None
        first = self.spans.get((*pointer, name))
        if first is not None and first.key is not None:
            related = (("first defined here", first.key),)
            span = self._places.span(start, end)
            self.problems.append(Problem(rule="E002", message=f'duplicate key "{name}"', span=span, related=related))
        return name

    def _odd_key(self, event: Any, events: Iterator[Any], pointer: Pointer) -> None:
        start = event.start_mark.index
        if type(event).__name__ == "MappingStartEvent" and self._text.startswith("{{", start):
            end = self._skip(event, events)
            self._problem("E104", "a key cannot be an expression", start, end)
            return
        end = self._skip(event, events) if hasattr(event, "flow_style") else event.end_mark.index
        self._problem("E004", "a key must be text", start, max(end, start + 1))
        self.unreadable.add(pointer)

    def _unquoted_template(self, event: Any, events: Iterator[Any], pointer: Pointer) -> tuple[JsonValue, int]:
        start, end = event.start_mark.index, self._skip(event, events)
        written = self._text[start:end]
        quoted = in_quotes(written)
        hint = f"write {quoted}" if quoted else ""
        message = "an expression needs quotes, or YAML reads a mapping"
        self._problem("E104", message, start, end, hint=hint, replacement=quoted)
        self.unreadable.add(pointer)
        return None, end

    def _skip(self, event: Any, events: Iterator[Any]) -> int:
        """Read to the end of a collection and return its offset."""
        depth, end = 1, event.end_mark.index
        while depth:
            following = next(events)
            kind = type(following).__name__
            depth += kind.endswith("StartEvent") - kind.endswith("EndEvent")
            end = following.end_mark.index
        return int(end)
