"""Jinja's expressions, and nothing else of Jinja: no statements, no methods, no attribute of any Python object.

Imported only when there is an expression to compile, since Jinja takes 60 ms to import. ``parse`` gives Jinja's tree
with each node's ``lineno`` being its *offset* in the expression, which the source map turns into columns.
"""

import copy
from collections.abc import Callable, Iterable, Iterator, Mapping
from functools import lru_cache
from typing import Any

from jinja2 import StrictUndefined, TemplateSyntaxError, UndefinedError, nodes
from jinja2.environment import Template
from jinja2.lexer import TokenStream
from jinja2.parser import Parser
from jinja2.runtime import Context, Undefined
from jinja2.sandbox import ImmutableSandboxedEnvironment
from jinja2.visitor import NodeTransformer

from dce_play.playbook.expressions.bounds import (
    MAX_BITS,
    MAX_DEPTH,
    MAX_EXPONENT,
    MAX_LENGTH,
    OutOfBounds,
    begin,
    bounded,
    check_tree,
    measure,
)
from dce_play.playbook.expressions.filters import EXPECTED_FAILURES, FILTERS, FUNCTIONS, TESTS
from dce_play.playbook.types.values import SecretReference, SecretTouched, UnknownTouched, Unready

__all__ = [
    "EXPECTED_FAILURES",
    "OutOfBounds",
    "UndefinedError",
    "compiled",
    "environment",
    "evaluate",
    "names_of",
    "parse",
]

_VALUE = "_value"


class _Environment(ImmutableSandboxedEnvironment):
    """Attributes are keys of mappings; there is no other kind."""

    intercepted_binops = frozenset({"*", "**", "%", "+"})

    def __init__(self) -> None:
        super().__init__(undefined=StrictUndefined, optimized=False, cache_size=0, autoescape=False)
        self.globals = dict(FUNCTIONS)
        self.filters = dict(FILTERS)
        self.tests = dict(TESTS)

    def _tokenize(
        self, source: str, name: str | None, filename: str | None = None, state: str | None = None
    ) -> TokenStream:
        # Jinja's tokens know their line only. The raw tokens of one expression add up to its text, so that
        # their lengths give the offset, which we hand on in the line's place.
        return TokenStream(self.lexer.wrap(self._offsets(source, name, state), name, filename), name, filename)

    def _offsets(self, source: str, name: str | None, state: str | None) -> Iterator[tuple[int, str, str]]:
        offset = 0
        try:
            for _, token, text in self.lexer.tokeniter(source, name, None, state):
                yield offset, token, text
                offset += len(text)
        except TemplateSyntaxError as error:
            raise TemplateSyntaxError(str(error.message), offset) from error

    def getattr(self, obj: Any, attribute: str) -> Any:
        return self.getitem(obj, attribute)

    def getitem(self, obj: Any, argument: Any) -> Any:
        match obj:
            case Unready():
                raise UnknownTouched
            case SecretReference():
                raise SecretTouched
            case Undefined():
                return obj[argument]
            case Mapping() if isinstance(argument, str) and argument in obj:
                return obj[argument]
            case str() | list() if isinstance(argument, int | slice) and not isinstance(argument, bool):
                try:
                    return obj[argument]
                except (IndexError, TypeError, ValueError):
                    pass
            case _:
                pass
        return self.undefined(obj=obj, name=argument)

    def call_binop(self, context: Context, operator: str, left: Any, right: Any) -> Any:
        if operator == "+":
            both = (isinstance(left, kind) and isinstance(right, kind) for kind in (str, list))
            if any(both) or (_is_number(left) and _is_number(right)):
                return bounded(left + right)
            raise _odd_operands("+", left, right)
        if isinstance(left, Unready) or isinstance(right, Unready):
            raise UnknownTouched
        if not (_is_number(left) and _is_number(right)):
            raise _odd_operands(operator, left, right)
        if operator == "**" and (abs(right) > MAX_EXPONENT or abs(left) > 1 << MAX_EXPONENT):
            raise OutOfBounds(f"exponents go up to {MAX_EXPONENT}")
        result = super().call_binop(context, operator, left, right)
        if isinstance(result, int) and result.bit_length() > MAX_BITS:
            raise OutOfBounds(f"numbers go up to {MAX_BITS} bits")
        return bounded(result)


def _is_number(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _odd_operands(operator: str, left: Any, right: Any) -> Exception:
    for value in (left, right):
        if isinstance(value, Unready):
            return UnknownTouched()
        if isinstance(value, SecretReference):
            return SecretTouched()
        if isinstance(value, Undefined):
            bool(value)
    names = tuple(_type_name(value) for value in (left, right))
    return TypeError(f"{operator} does not take {names[0]} and {names[1]}")


def _type_name(value: object) -> str:
    return {"NoneType": "null", "dict": "a mapping", "list": "a list", "str": "text", "bool": "a bool"}.get(
        type(value).__name__, "a number"
    )


class _Strict(NodeTransformer):
    """Puts our ``join`` in the place of ``~``, which would take a list's Python spelling for text."""

    def visit_Concat(self, node: nodes.Concat) -> nodes.Node:  # noqa: N802 - Jinja's name
        self.generic_visit(node)
        return nodes.Filter(nodes.List(node.nodes), "join", [], [], None, None, lineno=node.lineno)


@lru_cache(maxsize=1)
def environment() -> _Environment:
    """Return the one environment; it never changes."""
    return _Environment()


@lru_cache(maxsize=4096)
def parse(text: str) -> nodes.Expr:
    """Return the expression's tree.

    Raises: TemplateSyntaxError, whose ``lineno`` is the offset.
    """
    if len(text) > MAX_LENGTH:
        raise OutOfBounds(f"an expression has at most {MAX_LENGTH} characters")
    parser = Parser(environment(), text, state="variable")
    try:
        tree = parser.parse_expression()
        if not parser.stream.eos:
            raise TemplateSyntaxError("one expression should end here", parser.stream.current.lineno)
    except RecursionError as error:
        raise OutOfBounds(f"an expression is nested at most {MAX_DEPTH} deep") from error
    check_tree(tree)
    return tree


@lru_cache(maxsize=4096)
def compiled(text: str) -> tuple[Template, frozenset[str]]:
    """Return the compiled expression and the names that it reads."""
    tree = _Strict().visit(copy.deepcopy(parse(text)))
    read = frozenset(name.name for name in _names(tree))
    tree.set_environment(environment())
    assign = nodes.Assign(nodes.Name(_VALUE, "store"), tree, lineno=1)
    return environment().from_string(nodes.Template([assign], lineno=1)), read


def names_of(text: str) -> frozenset[str]:
    """Return the names that an expression reads; none when it does not parse."""
    try:
        return frozenset(name.name for name in _names(parse(text)))
    except (TemplateSyntaxError, OutOfBounds):
        return frozenset()


def _names(tree: nodes.Expr) -> Iterable[nodes.Name]:
    return [tree] if isinstance(tree, nodes.Name) else tree.find_all(nodes.Name)


def evaluate(text: str, names: Mapping[str, object], /) -> object:
    """Return the expression's value.

    Raises: UndefinedError, UnknownTouched, SecretTouched, OutOfBounds, TypeError, ValueError and the like.
    """
    begin()
    template, read = compiled(text)
    context = template.new_context({name: names[name] for name in read if name in names})
    render: Callable[[Context], Iterable[str]] = template.root_render_func
    try:
        for _ in render(context):
            pass
    except RecursionError as error:
        raise OutOfBounds("the expression's values are nested too deep") from error
    value = context.vars[_VALUE]
    if isinstance(value, Undefined):
        bool(value)
    measure(value)
    return value
