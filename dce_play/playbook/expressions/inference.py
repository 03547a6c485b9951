"""What an expression's value may be, told from its text and the shapes of the names around it, and what is wrong.

Imported only when there is an expression to look at, since Jinja takes 60 ms to import.
"""

import re
from collections.abc import Callable, Mapping
from dataclasses import replace as with_changes
from typing import Any

from jinja2 import TemplateSyntaxError, nodes

from dce_play.playbook.expressions.expression_types import (
    BOOL_WORDS,
    FILTER_TAKES,
    Diagnostic,
    Inferred,
    article,
    filter_result,
    text_diagnostic,
    word_length,
)
from dce_play.playbook.expressions.filters import FILTERS, FUNCTIONS, TESTS
from dce_play.playbook.expressions.operator_types import (
    arithmetic,
    bool_diagnostics,
    comparison_diagnostic,
    every,
    unknown_by_name,
)
from dce_play.playbook.expressions.sandbox import OutOfBounds, parse
from dce_play.playbook.types.shapes import (
    ANY,
    BOOL,
    INT,
    NULL,
    STR,
    Field,
    Kind,
    Shape,
    describe,
    list_of,
    shape_of_value,
)
from dce_play.source import did_you_mean, nearest

_PATH_AFTER_DOT = re.compile(r"\.\s*")


def infer(text: str, scope: Mapping[str, Shape]) -> Inferred:
    """Return what the expression's value may be, and all that is wrong with it."""
    found = Inferred()
    try:
        tree = parse(text)
    except TemplateSyntaxError as error:
        offset = min(error.lineno, max(len(text) - 1, 0))
        message = str(error.message or "this is not an expression").rstrip(".")
        message = message[:1].lower() + message[1:]
        diagnostic = Diagnostic(rule="E201", message=message, offset=offset, length=word_length(text, offset))
        found.diagnostics.append(diagnostic)
        return found
    except OutOfBounds as error:
        found.diagnostics.append(
            Diagnostic(rule="E205", message=str(error), offset=error.offset, length=len(text) - error.offset)
        )
        return found
    walker = _Walker(text, scope, found)
    found.shape = walker.shape(tree)
    found.constant = not any(True for _ in every(tree, (nodes.Name, nodes.Call)))
    found.bool_diagnostics += bool_diagnostics(tree, text, _Walker(text, scope, Inferred()).shape)
    return found


class _Walker:
    """Goes through one expression's tree."""

    def __init__(self, text: str, scope: Mapping[str, Shape], found: Inferred) -> None:
        self._text = text
        self._scope = scope
        self._found = found

    def _note(
        self, rule: str, message: str, place: nodes.Node | int, *, length: int | None = None, hint: str = ""
    ) -> None:
        at = place if isinstance(place, int) else place.lineno
        offset = min(at, max(len(self._text) - 1, 0))
        size = word_length(self._text, offset) if length is None else length
        self._found.diagnostics.append(Diagnostic(rule=rule, message=message, offset=offset, length=size, hint=hint))

    def shape(self, node: nodes.Node) -> Shape:
        """Return the shape of a node's value, noting flaws on the way."""
        handler = _HANDLERS.get(type(node))
        if handler is not None:
            return handler(self, node)
        if isinstance(node, nodes.BinExpr):
            return self._arithmetic(node)
        for child in node.iter_child_nodes():
            self.shape(child)
        if not isinstance(node, nodes.Operand | nodes.Pair | nodes.Keyword | nodes.Slice):
            self._note("E204", f"{type(node).__name__.lower()} has no place in an expression here", node)
        return ANY

    # Names and what is inside them.

    def name(self, node: nodes.Name) -> Shape:
        self._found.reads.add((node.name,))
        if node.name in self._scope:
            return self._scope[node.name]
        if node.name in FUNCTIONS:
            return ANY
        self._note("E211", f'nothing is named "{node.name}" here', node, hint=self._name_hint(node.name))
        return ANY

    def _name_hint(self, name: str) -> str:
        if name.lower() in BOOL_WORDS:
            return f"write {BOOL_WORDS[name.lower()]}"
        for space in ("params", "vars"):
            fields = self._scope[space].fields if space in self._scope else None
            if fields and name in fields:
                return f'did you mean "{space}.{name}"?'
        return did_you_mean(name, self._scope)

    def attribute(self, node: nodes.Getattr) -> Shape:
        # The node's offset is that of its dot.
        after = _PATH_AFTER_DOT.match(self._text, node.lineno)
        return self._key(node, node.attr, after.end() if after else node.lineno)

    def item(self, node: nodes.Getitem) -> Shape:
        argument = node.arg
        if isinstance(argument, nodes.Const) and isinstance(argument.value, str):
            return self._key(node, argument.value, argument.lineno)
        base = self.shape(node.node)
        self.shape(argument)
        if isinstance(argument, nodes.Slice):
            return with_changes(base, nullable=False, choices=())
        match base.kind:
            case Kind.LIST | Kind.MAP:
                return base.item or ANY
            case Kind.STR:
                return STR
            case Kind.ANY:
                return ANY
            case _:
                self._note("E211", f"{describe(base)} has no items", argument)
                return ANY

    def _key(self, node: nodes.Getattr | nodes.Getitem, key: str, offset: int) -> Shape:
        base = self.shape(node.node)
        if isinstance(node.node, nodes.Name):
            self._found.reads.discard((node.node.name,))
            self._found.reads.add((node.node.name, key))
        where = offset
        match base.kind:
            case Kind.ANY:
                return ANY
            case Kind.MAP if base.fields is None:
                return base.item or ANY
            case Kind.MAP:
                if key in (base.fields or {}):
                    return base.fields[key].shape if base.fields else ANY
                owner = self._text[: offset - 1].split()[-1] if offset else ""
                what = f'"{owner.lstrip("(!")}" has' if owner and owner.replace(".", "").isidentifier() else "it has"
                self._note("E211", f'{what} no "{key}"', where, hint=did_you_mean(key, base.fields or {}))
            case Kind.SECRET:
                self._note("E223", "a secret can only be handed on whole", where)
            case Kind.LIST:
                self._note("E211", f'a list has no "{key}"', where, hint=f'use [0].{key} or | map(attribute="{key}")')
            case _:
                self._note("E211", f'{describe(base)} has no "{key}"', where, hint="methods are written as filters")
        return ANY

    # Filters, tests, calls.

    def filter(self, node: nodes.Filter) -> Shape:
        if node.name in {"default", "count"} or node.node is None:
            self._guard(node.node)
        base = self.shape(node.node) if node.node is not None else ANY
        arguments = [self.shape(argument) for argument in node.args]
        for keyword in node.kwargs:
            self.shape(keyword.value)
        if node.name not in FILTERS:
            self._note("E204", f'no filter named "{node.name}"', node, hint=did_you_mean(node.name, FILTERS))
            return ANY
        if base.kind is Kind.SECRET:
            self._note("E223", "a secret can only be handed on whole", node)
            return ANY
        for named, message, hint in unknown_by_name(node):
            self._note("E204", message, named, hint=hint)
        taken = FILTER_TAKES.get(node.name)
        if taken is not None and base.kind is not Kind.ANY and base.kind not in taken:
            self._note("E226", f"{node.name} does not take {article(base)}", node)
        return filter_result(node.name, base, arguments)

    def _guard(self, node: nodes.Node | None) -> None:
        while isinstance(node, nodes.Getattr | nodes.Getitem):
            node = node.node
        if isinstance(node, nodes.Name):
            self._found.guarded.add(node.name)

    def test(self, node: nodes.Test) -> Shape:
        if node.name in {"defined", "undefined"}:
            self._guard(node.node)
        self.shape(node.node)
        for argument in node.args or ():
            self.shape(argument)
        if node.name not in TESTS:
            self._note("E204", f'no test named "{node.name}"', node, hint=did_you_mean(node.name, TESTS))
        return BOOL

    def call(self, node: nodes.Call) -> Shape:
        for argument in node.args:
            self.shape(argument)
        if isinstance(node.node, nodes.Name) and node.node.name in FUNCTIONS:
            return list_of(INT)
        written = node.node.attr if isinstance(node.node, nodes.Getattr) else getattr(node.node, "name", "")
        close = nearest(written, [*FILTERS, *FUNCTIONS]) if written else None
        hint = f"functions: {', '.join(FUNCTIONS)}"
        if close is not None:
            hint = f"write | {close}" if close in FILTERS else f'did you mean "{close}"?'
        before = len(self._found.diagnostics)
        if isinstance(node.node, nodes.Getattr):
            self.shape(node.node.node)
        if len(self._found.diagnostics) == before:
            after = _PATH_AFTER_DOT.match(self._text, node.node.lineno)
            where = after.end() if after else node.node.lineno
            self._note("E204", f'no function named "{written}"', where, hint=hint)
        return ANY

    # Operators.

    def compare(self, node: nodes.Compare) -> Shape:
        left = self.shape(node.expr)
        for operand in node.ops:
            right = self.shape(operand.expr)
            self._compare(operand, left, right)
            left = right
        return BOOL

    def _compare(self, operand: nodes.Operand, left: Shape, right: Shape) -> None:
        diagnostic = comparison_diagnostic(operand.op, left, right, operand.expr)
        if diagnostic is not None:
            self._note(*diagnostic, operand.expr)

    def logic(self, node: nodes.And | nodes.Or) -> Shape:
        left, right = self.shape(node.left), self.shape(node.right)
        return left if left.kind is right.kind else ANY

    def negation(self, node: nodes.Not) -> Shape:
        self.shape(node.node)
        return BOOL

    def choice(self, node: nodes.CondExpr) -> Shape:
        self.shape(node.test)
        first = self.shape(node.expr1)
        second = self.shape(node.expr2) if node.expr2 is not None else NULL
        if second.kind is Kind.NULL:
            return with_changes(first, nullable=True)
        if first.kind is Kind.NULL:
            return with_changes(second, nullable=True)
        return first if first.kind is second.kind else ANY

    def _arithmetic(self, node: nodes.BinExpr) -> Shape:
        left, right = self.shape(node.left), self.shape(node.right)
        result = arithmetic(type(node), left, right)
        if isinstance(result, Shape):
            return result
        self._note("E226", result[0], node.right, hint=result[1])
        return ANY

    def sign(self, node: nodes.UnaryExpr) -> Shape:
        return self.shape(node.node)

    def concatenation(self, node: nodes.Concat) -> Shape:
        for part in node.nodes:
            diagnostic = text_diagnostic(self.shape(part))
            if diagnostic is not None:
                self._note("E223", diagnostic, part)
        return STR

    def constant(self, node: nodes.Const) -> Shape:
        return shape_of_value(node.value)

    def sequence(self, node: nodes.List | nodes.Tuple) -> Shape:
        shapes = [self.shape(item) for item in node.items]
        alike = len({shape.kind for shape in shapes}) == 1
        return list_of(shapes[0] if alike else ANY)

    def mapping(self, node: nodes.Dict) -> Shape:
        fields: dict[str, Field] = {}
        closed = True
        for pair in node.items:
            shape = self.shape(pair.value)
            if isinstance(pair.key, nodes.Const) and isinstance(pair.key.value, str):
                fields[pair.key.value] = Field(name=pair.key.value, shape=shape)
            else:
                self.shape(pair.key)
                closed = False
        return Shape(kind=Kind.MAP, fields=fields if closed else None)


_HANDLERS: dict[type[nodes.Node], Callable[[_Walker, Any], Shape]] = {
    nodes.Name: _Walker.name,
    nodes.Getattr: _Walker.attribute,
    nodes.Getitem: _Walker.item,
    nodes.Filter: _Walker.filter,
    nodes.Test: _Walker.test,
    nodes.Call: _Walker.call,
    nodes.Compare: _Walker.compare,
    nodes.And: _Walker.logic,
    nodes.Or: _Walker.logic,
    nodes.Not: _Walker.negation,
    nodes.CondExpr: _Walker.choice,
    nodes.Neg: _Walker.sign,
    nodes.Pos: _Walker.sign,
    nodes.Concat: _Walker.concatenation,
    nodes.Const: _Walker.constant,
    nodes.List: _Walker.sequence,
    nodes.Tuple: _Walker.sequence,
    nodes.Dict: _Walker.mapping,
}
