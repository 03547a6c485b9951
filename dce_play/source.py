"""Documents as values with places, and the problems found in them."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path
from typing import ClassVar, TypeAlias

from dce_play.errors import DcePlayError, ExitCode

JsonValue: TypeAlias = bool | int | float | str | list["JsonValue"] | dict[str, "JsonValue"] | None
Pointer: TypeAlias = tuple[str | int, ...]
"""The path from a document's top to a value: keys and list indexes."""


@dataclass(frozen=True, slots=True, kw_only=True, order=True)
class Span:
    """A stretch of a text file. Lines and columns count from 1, in code points; the end is exclusive."""

    path: Path
    line: int
    column: int
    end_line: int
    end_column: int

    def __str__(self) -> str:
        return f"{self.path}:{self.line}:{self.column}"


@dataclass(frozen=True, slots=True, kw_only=True)
class NodeSpan:
    """Where a value stands, and the key it stands under (``None`` for list items and the top)."""

    key: Span | None
    value: Span


@dataclass(frozen=True, slots=True, kw_only=True)
class Document:
    """A file's values, its text, and the place of each value."""

    path: Path
    text: str
    value: JsonValue
    spans: Mapping[Pointer, NodeSpan]

    def key_span(self, pointer: Pointer) -> Span:
        """Return the place of the key at the pointer, or of the value where there is no key."""
        node = self._node(pointer)
        return node.key or node.value

    def value_span(self, pointer: Pointer) -> Span:
        """Return the place of the value at the pointer."""
        return self._node(pointer).value

    def _node(self, pointer: Pointer) -> NodeSpan:
        while pointer not in self.spans and pointer:
            pointer = pointer[:-1]
        return self.spans[pointer]


class Severity(StrEnum):
    """How bad a problem is. Errors stop a run; warnings and infos do not."""

    ERROR = "error"
    WARNING = "warning"
    INFO = "info"


@dataclass(frozen=True, slots=True, kw_only=True)
class Problem:
    """One thing wrong with a document, at one place."""

    rule: str
    """Stable id such as ``E101``."""
    message: str
    span: Span
    severity: Severity = Severity.ERROR
    hint: str = ""
    related: tuple[tuple[str, Span], ...] = field(default=())
    """Other places that matter, each with a note, such as where a name was first defined."""
    replacement: str | None = None
    """What to write in place of the span, where that is certain; ``lint --fix`` does."""


class InvalidDocument(DcePlayError):
    """A document has problems. All of them are carried, in the order of their places."""

    exit_code: ClassVar[ExitCode] = ExitCode.INVALID

    def __init__(self, problems: Iterable[Problem], texts: Mapping[Path, str]) -> None:
        self.problems = tuple(sorted(problems, key=lambda problem: problem.span))
        self.texts = texts
        """The text of each file named by a span, so that the line can be shown."""
        first = self.problems[0]
        more = f" (and {len(self.problems) - 1} more)" if len(self.problems) > 1 else ""
        super().__init__(f"{first.span}: {first.message}{more}", hint=first.hint)


def nearest(name: str, candidates: Iterable[str], *, alike: float = 0.6) -> str | None:
    """Return the candidate that the name is most likely a typo of, or ``None``. ``alike`` is from 0 to 1, the same."""
    import difflib  # start-up time: most names are known

    found = difflib.get_close_matches(name, list(candidates), n=1, cutoff=alike)
    return found[0] if found else None


def one_slip(name: str, candidates: Iterable[str]) -> str | None:
    """Return the only candidate that one slip of the finger makes into the name, or ``None``.

    A slip is one character left out, put in, or put in another's place, or two swapped.
    """
    close = [each for each in candidates if each != name and abs(len(each) - len(name)) < 2 and _is_slip(name, each)]
    return close[0] if len(close) == 1 else None


def _is_slip(name: str, other: str) -> bool:
    start = 0
    while start < min(len(name), len(other)) and name[start] == other[start]:
        start += 1
    rest, wanted = name[start:], other[start:]
    swapped = rest[1:2] + rest[:1] + rest[2:]
    return rest[1:] == wanted or rest == wanted[1:] or rest[1:] == wanted[1:] or swapped == wanted


def did_you_mean(name: str, candidates: Iterable[str]) -> str:
    """Return a hint for an unknown name: the nearest candidate, or all of them."""
    known = sorted(candidates)
    close = nearest(name, known)
    if close is not None:
        return f'did you mean "{close}"?'
    return f"known: {', '.join(known)}" if known else ""
