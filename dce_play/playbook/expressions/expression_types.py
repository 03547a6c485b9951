"""The types of expressions: what operators and filters take and give, and what an inference finds."""

import re
from dataclasses import dataclass, field
from dataclasses import replace as with_changes

from dce_play.playbook.types.shapes import ANY, FLOAT, INT, STR, Kind, Shape, describe, list_of, with_article

BOOL_WORDS = {"yes": "true", "on": "true", "y": "true", "no": "false", "off": "false", "n": "false"}
"""What people write for a bool, and what an expression takes."""
_WORD = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
NUMBERS = frozenset({Kind.INT, Kind.FLOAT})


@dataclass(frozen=True, slots=True, kw_only=True)
class Diagnostic:
    """One thing wrong inside an expression, ``length`` characters from ``offset``."""

    rule: str
    message: str
    offset: int
    length: int
    hint: str = ""


@dataclass(slots=True)
class Inferred:
    """What was found out about one expression."""

    shape: Shape = ANY
    diagnostics: list[Diagnostic] = field(default_factory=list)
    reads: set[tuple[str, ...]] = field(default_factory=set)
    """Names read, with the key that follows: ``("params", "full")``, ``("item",)``."""
    guarded: set[str] = field(default_factory=set)
    """Names whose absence is taken care of by ``is defined`` or ``default``."""
    constant: bool = False
    bool_diagnostics: list[Diagnostic] = field(default_factory=list)
    """Why it cannot be a condition, where it cannot."""


_SIZED = frozenset({Kind.LIST, Kind.MAP, Kind.STR})
_TEXTS = frozenset({Kind.STR})
FILTER_TAKES: dict[str, frozenset[Kind]] = {
    **dict.fromkeys(("length", "count"), _SIZED),
    **dict.fromkeys(("lower", "upper", "trim", "split", "slug", "replace", "basename", "dirname", "fromjson"), _TEXTS),
    **dict.fromkeys(("join", "sort", "unique", "map", "select", "reject", "selectattr", "rejectattr", "sum"), _SIZED),
    **dict.fromkeys(("items", "dictsort"), frozenset({Kind.MAP})),
}
_FILTER_GIVES: dict[str, Shape] = {
    **dict.fromkeys(("length", "count", "bytes"), INT),
    "int": INT,
    "float": FLOAT,
    "seconds": FLOAT,
    **dict.fromkeys(("lower", "upper", "trim", "slug", "replace", "basename", "dirname", "join", "tojson"), STR),
    **dict.fromkeys(("string", "duration"), STR),
    "split": list_of(STR),
    **dict.fromkeys(("map", "batch", "items", "dictsort"), list_of(ANY)),
}


def filter_result(name: str, base: Shape, arguments: list[Shape]) -> Shape:
    """Return the shape of what a filter gives."""
    if name in _FILTER_GIVES:
        return _FILTER_GIVES[name]
    if name in {"sort", "unique", "select", "reject", "selectattr", "rejectattr", "reverse", "list"}:
        return list_of(base.item or ANY if base.kind is Kind.LIST else ANY)
    if name in {"first", "last", "min", "max"}:
        return base.item or ANY if base.kind is Kind.LIST else ANY
    if name == "default" and arguments:
        return with_changes(base, nullable=False) if base.kind is arguments[0].kind else ANY
    return ANY


def may_be_equal(left: Shape, right: Shape) -> bool:
    """Return whether values of the two shapes can be equal."""
    if Kind.ANY in {left.kind, right.kind} or left.kind is right.kind or {left.kind, right.kind} <= NUMBERS:
        return True
    if Kind.NULL in {left.kind, right.kind}:
        return left.nullable and right.nullable
    return left.nullable and right.nullable


def word_length(text: str, offset: int) -> int:
    """Return how many characters the name at the offset has; 1 where no name begins."""
    word = _WORD.match(text, offset)
    return len(word[0]) if word else 1


def text_diagnostic(shape: Shape) -> str | None:
    """Return why a value cannot stand in text, or ``None``."""
    match shape.kind:
        case Kind.LIST | Kind.MAP | Kind.NULL:
            return f"{article(shape)} cannot stand in text; use | tojson"
        case Kind.SECRET:
            return "a secret cannot stand in text"
        case _ if shape.nullable and shape.kind is not Kind.ANY:
            return "this may be null, which cannot stand in text; use | default(…)"
        case _:
            return None


def article(shape: Shape) -> str:
    """Return the shape in words, with its article."""
    return with_article(describe(shape))
