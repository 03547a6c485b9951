"""What an expression may cost: how long and deep it may be, how large its values, and how much it may work.

Every filter, test and function is metered, so that no expression outlasts its step's deadline by more than a moment:
what one call may make is bounded, and so is what all calls of one evaluation make together.
"""

import math
from collections.abc import Callable, Iterator, Mapping
from functools import wraps
from itertools import islice
from typing import Any

from jinja2 import nodes
from jinja2.runtime import Undefined

from dce_play.playbook.types.values import SecretReference, Unready

MAX_LENGTH = 2_000
"""Characters of one expression."""
MAX_DEPTH = 50
"""Operators, filters, keys and brackets inside each other."""
MAX_TEXT = 1 << 20
"""Characters of one text."""
MAX_ITEMS = 100_000
"""Items of one list."""
MAX_VALUES = 400_000
"""Values inside one value, however they are nested."""
MAX_NESTING = 100
"""Lists and mappings inside each other."""
MAX_BITS = 256
"""Of a whole number."""
MAX_EXPONENT = 64
MAX_PRECISION = 30
"""Digits that ``round`` takes, before or behind the point."""
MAX_RANGE = 10_000
MAX_WORK = 5_000_000
"""Characters and items that all filters of one evaluation may make together."""


class OutOfBounds(Exception):
    """An expression asks for more than a playbook may; ``offset`` is where, in characters."""

    def __init__(self, message: str, offset: int = 0) -> None:
        super().__init__(message)
        self.offset = offset


class _Meter:
    """What the evaluation at hand has done so far. There is one: expressions are evaluated one after the other."""

    done = 0


def begin() -> None:
    """Begin an evaluation."""
    _Meter.done = 0


def spend(amount: int) -> None:
    """Count work.

    Raises: OutOfBounds.
    """
    _Meter.done += amount
    if _Meter.done > MAX_WORK:
        raise OutOfBounds(f"the expression makes more than {MAX_WORK} characters and items on its way")


def metered(function: Callable[..., Any]) -> Callable[..., Any]:
    """Return the filter, test or function with its result bounded, lazy lists made, and its work counted."""

    @wraps(function)  # keeps the mark that makes Jinja pass the context
    def counted(*args: Any, **kwargs: Any) -> Any:
        try:
            value = bounded(function(*args, **kwargs))
        except AttributeError as error:  # Jinja's own filters ask no type first
            raise TypeError(f"it does not take a {type(args[-1] if args else None).__name__}") from error
        spend(1 + (len(value) if isinstance(value, str | list | dict) else 0))
        return value

    return counted


def bounded(value: Any, /) -> Any:
    """Return the value, lists made of what is lazy, when it is not larger than a playbook needs.

    Raises: ValueError.
    """
    match value:
        case str():
            if len(value) > MAX_TEXT:
                raise ValueError(f"text goes up to {MAX_TEXT} characters")
            return str(value)
        case int():
            if value.bit_length() > MAX_BITS:
                raise ValueError(f"numbers go up to {MAX_BITS} bits")
        case float():
            if not math.isfinite(value):
                raise ValueError("this is no finite number")
        case None | Mapping() | Unready() | SecretReference() | Undefined():
            pass
        case _:
            items = list(islice(value, MAX_ITEMS + 1))
            if len(items) > MAX_ITEMS:
                raise ValueError(f"lists go up to {MAX_ITEMS} items")
            return items
    return value


def measure(value: object) -> None:
    """Refuse a value that holds too much or is nested too deep; every part counts as often as it is shown.

    Raises: OutOfBounds; ValueError.
    """
    left: list[Iterator[object]] = []
    count, part = 0, value
    while True:
        count += 1
        if count > MAX_VALUES:
            raise OutOfBounds(f"a value holds at most {MAX_VALUES} others")
        if isinstance(part, dict | list):
            if len(left) >= MAX_NESTING:
                raise OutOfBounds(f"values are nested at most {MAX_NESTING} deep")
            left.append(iter(part.values() if isinstance(part, dict) else part))
        elif isinstance(part, str | int | float):
            bounded(part)
        while left:
            following = next(left[-1], _END)
            if following is not _END:
                part = following
                break
            left.pop()
        else:
            return


_END = object()


def check_tree(tree: nodes.Expr) -> None:
    """Refuse a tree that is too deep, and numbers that are too large; give every node a place.

    Raises: OutOfBounds.
    """
    waiting: list[tuple[nodes.Node, int, int]] = [(tree, 1, 0)]
    while waiting:
        node, depth, above = waiting.pop()
        if getattr(node, "lineno", None) is None:  # Jinja forgets it on some operators, whatever its types say
            node.lineno = above
        if depth > MAX_DEPTH:
            raise OutOfBounds(f"an expression is nested at most {MAX_DEPTH} deep", node.lineno)
        if isinstance(node, nodes.Const) and isinstance(node.value, int | float):
            try:
                bounded(node.value)
            except ValueError as error:
                raise OutOfBounds(str(error), node.lineno) from error
        waiting += [(child, depth + 1, node.lineno) for child in node.iter_child_nodes()]
