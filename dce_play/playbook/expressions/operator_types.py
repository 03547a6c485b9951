"""What Jinja's operators and filters by name give of which shapes, and which they do not take.

Imported only when there is an expression to look at, since Jinja takes 60 ms to import.
"""

import re
from collections.abc import Callable, Iterator

from jinja2 import nodes

from dce_play.playbook.expressions.expression_types import NUMBERS, Diagnostic, article, may_be_equal
from dce_play.playbook.expressions.filters import FILTERS, TESTS
from dce_play.playbook.types.shapes import ANY, FLOAT, INT, Kind, Shape, describe
from dce_play.source import did_you_mean


def every(tree: nodes.Node, kinds: tuple[type[nodes.Node], ...], /) -> Iterator[nodes.Node]:
    """Yield the nodes of these kinds, the topmost included."""
    if isinstance(tree, kinds):
        yield tree
    yield from tree.find_all(kinds)


def comparison_diagnostic(operator: str, left: Shape, right: Shape, written: nodes.Expr) -> tuple[str, str] | None:
    """Return the rule and the message, when such a comparison makes no sense. ``written`` is the right side."""
    if Kind.SECRET in {left.kind, right.kind}:
        return "E223", "a secret can only be handed on whole"
    match operator:
        case "lt" | "lteq" | "gt" | "gteq":
            same = left.kind is right.kind or {left.kind, right.kind} <= NUMBERS
            orderable = {left.kind, right.kind} <= {*NUMBERS, Kind.STR, Kind.ANY}
            if not orderable or not (same or Kind.ANY in {left.kind, right.kind}):
                return "E226", f"{article(left)} and {article(right)} have no order"
        case "in" | "notin" if (
            right.kind is Kind.LIST and right.item is not None and not may_be_equal(left, right.item)
        ):
            always = "false" if operator == "in" else "true"
            return "W225", f"a list of {describe(right.item)} never holds {article(left)}: this is always {always}"
        case "eq" | "ne" if not may_be_equal(left, right):
            always = "false" if operator == "eq" else "true"
            return "W225", f"{article(left)} is never equal to {article(right)}: this is always {always}"
        case "in" | "notin" if right.kind in {*NUMBERS, Kind.BOOL, Kind.NULL}:
            return "E226", f"nothing is in {article(right)}"
        case "eq" | "ne":
            return _list_flaw(operator, left, right, written)
    return None


def _list_flaw(operator: str, left: Shape, right: Shape, written: nodes.Expr) -> tuple[str, str] | None:
    """Return rule and message when a list that is written out, and not empty, has items of another kind than the other.

    Ids without quotes are numbers, and those of Discord are text.
    """
    if not isinstance(written, nodes.List) or not written.items:
        return None
    one, other = left.item, right.item
    if left.kind is not Kind.LIST or right.kind is not Kind.LIST or one is None or other is None:
        return None
    if may_be_equal(one, other):
        return None
    always = "false" if operator == "eq" else "true"
    return "W225", f"a list of {describe(one)} is never one of {describe(other)}: this is always {always}"


def arithmetic(operator: type[nodes.BinExpr], left: Shape, right: Shape) -> Shape | tuple[str, str]:
    """Return the shape of the result; or a message and a hint, when the operator does not take the two."""
    kinds = {left.kind, right.kind}
    if Kind.ANY in kinds:
        return ANY
    if kinds <= NUMBERS:
        whole = kinds == {Kind.INT} and operator is not nodes.Div
        return INT if whole else FLOAT
    if operator is nodes.Add and len(kinds) == 1 and kinds <= {Kind.STR, Kind.LIST}:
        return left
    hint = "use ~ to join texts" if operator is nodes.Add and Kind.STR in kinds else ""
    sign = _OPERATORS.get(operator, "this operator")
    return f"{sign} does not take {article(left)} and {article(right)}", hint


def unknown_by_name(node: nodes.Filter, /) -> Iterator[tuple[nodes.Expr, str, str]]:
    """Yield place, message and hint, when ``map``, ``select`` or their kin name what is no filter or test."""
    place = {"map": 0, "select": 0, "reject": 0, "selectattr": 1, "rejectattr": 1}.get(node.name)
    if place is None or len(node.args) <= place:
        return
    named = node.args[place]
    known, what = (FILTERS, "filter") if node.name == "map" else (TESTS, "test")
    if isinstance(named, nodes.Const) and named.value not in known:
        yield named, f'no {what} named "{named.value}"', did_you_mean(str(named.value), known)


def bool_diagnostics(node: nodes.Node, text: str, shape_of: Callable[[nodes.Node], Shape], /) -> list[Diagnostic]:
    """Return why the expression cannot be a condition: each part of ``and``, ``or`` and ``not`` must be a bool."""
    match node:
        case nodes.And() | nodes.Or():
            return [*bool_diagnostics(node.left, text, shape_of), *bool_diagnostics(node.right, text, shape_of)]
        case nodes.Not():
            return bool_diagnostics(node.node, text, shape_of)
    shape = shape_of(node)
    if shape.kind in {Kind.ANY, Kind.BOOL} and not (shape.kind is Kind.BOOL and shape.nullable):
        return []
    message = f"a condition must be a bool, not {article(shape)}"
    offset, length = _extent(node, text)
    hint = {
        Kind.LIST: "compare its length: | length > 0",
        Kind.STR: 'compare it: != ""',
        Kind.INT: "compare it: > 0",
        Kind.BOOL: "it may be null: add | default(false)",
    }.get(shape.kind, "compare it with something")
    return [Diagnostic(rule="E221", message=message, offset=offset, length=length, hint=hint)]


def _extent(node: nodes.Node, text: str) -> tuple[int, int]:
    first = min((child.lineno for child in every(node, (nodes.Node,))), default=0)
    rest = text[first:]
    cut = re.search(r"\s+(and|or)\s|\)", rest)
    return first, len(rest[: cut.start()] if cut else rest)


_OPERATORS: dict[type[nodes.Node], str] = {
    nodes.Add: "+",
    nodes.Sub: "-",
    nodes.Mul: "*",
    nodes.Div: "/",
    nodes.FloorDiv: "//",
    nodes.Mod: "%",
    nodes.Pow: "**",
}
